package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"
	"unsafe"

	"github.com/ebitengine/purego"
)

// Environment of the engine child. Nobody sets these by hand.
const (
	envChild        = "CAIRN_ENGINE_CHILD" // "clickhouse"
	envChildLibrary = "CAIRN_ENGINE_LIBRARY"
	envChildFolder  = "CAIRN_ENGINE_FOLDER"
)

// Exit codes of the engine child.
const (
	exitLibrary = 3 // the library cannot be opened
	exitQuery   = 4 // the engine gave up
	exitParent  = 5 // the parent is gone
	exitFolder  = 6 // the folder is in use
)

// RunChildIfAsked turns this process into the engine if [StartClickHouse] started it for that, and then never
// returns. main and TestMain of every binary that starts an engine call it first.
func RunChildIfAsked() {
	if os.Getenv(envChild) != "clickhouse" {
		return
	}
	os.Exit(runEngine(os.Getenv(envChildLibrary), os.Getenv(envChildFolder), os.Args[1:]))
}

// runEngine runs the engine with ClickHouse's options until it is told to stop.
func runEngine(library, folder string, options []string) int {
	runtime.LockOSThread() // the engine's main thread is ours
	go exitWithParent()

	// The folder may still belong to the child of a parent that was just killed: wait for the kernel.
	ctx, cancel := context.WithTimeout(context.Background(), lockPatience)
	lock, err := LockFolder(ctx, folder)
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitFolder
	}
	defer lock.Unlock()

	engine, err := purego.Dlopen(library, purego.RTLD_NOW)
	if err != nil {
		fmt.Fprintf(os.Stderr, "open the ClickHouse engine %s: %v\n", library, err)
		return exitLibrary
	}
	run, err := purego.Dlsym(engine, "chdb_query_cmdline")
	if err != nil {
		fmt.Fprintf(os.Stderr, "the ClickHouse engine %s: %v\n", library, err)
		return exitLibrary
	}
	var failure func(result uintptr) string
	purego.RegisterLibFunc(&failure, engine, "chdb_result_error")

	argv := cStrings(append([]string{"clickhouse"}, options...))
	result, _, _ := purego.SyscallN(run, uintptr(len(argv)-1), uintptr(unsafe.Pointer(&argv[0])))
	runtime.KeepAlive(argv)
	if result != 0 {
		if text := failure(result); text != "" {
			fmt.Fprintln(os.Stderr, text)
		}
	}
	return exitQuery // the query that keeps the engine up never ends by itself
}

// exitWithParent ends the process when the parent's end of fd 3 is closed: the parent has died or wants us gone.
func exitWithParent() {
	pipe := os.NewFile(3, "parent")
	if pipe == nil {
		return
	}
	_, err := pipe.Read(make([]byte, 1))
	if errors.Is(err, io.EOF) {
		os.Exit(exitParent)
	}
}

// cStrings is an argv: pointers to NUL-terminated strings, ended by nil. The caller keeps it alive.
func cStrings(args []string) []*byte {
	argv := make([]*byte, 0, len(args)+1)
	for _, a := range args {
		argv = append(argv, &append([]byte(a), 0)[0])
	}
	return append(argv, nil)
}

const lockPatience = 10 * time.Second
