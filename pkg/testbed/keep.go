package testbed

import (
	"context"
	"fmt"
	"os"
	"sync"

	"github.com/cairnhq/cairn/pkg/local"
)

// keptClickHouse is a local engine that is started again, on its ports and with
// its data, when it ends: it does so when a client's connection is reset at a bad
// moment, as by tests that kill clients.
type keptClickHouse struct {
	options local.ClickHouseOptions

	mu      sync.Mutex
	engine  *local.ClickHouse // guarded by mu
	stopped bool              // guarded by mu
}

func keepClickHouse(engine *local.ClickHouse, dir string) *keptClickHouse {
	native, http := engine.Ports()
	k := &keptClickHouse{options: local.ClickHouseOptions{Dir: dir, Port: native, HTTPPort: http}, engine: engine}
	go k.watch(engine)
	return k
}

// watch ends with stop, or when the engine cannot be started any more.
func (k *keptClickHouse) watch(engine *local.ClickHouse) {
	for engine != nil {
		<-engine.Done()
		engine = k.restart()
	}
}

// restart returns nil if there is no engine to watch.
func (k *keptClickHouse) restart() *local.ClickHouse {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.stopped {
		return nil
	}
	fmt.Fprintln(os.Stderr, "testbed: starting ClickHouse again:", k.engine.Err())
	_ = k.engine.Stop() // it has; this gives the folder back
	ctx, cancel := context.WithTimeout(context.Background(), startBound)
	defer cancel()
	engine, err := local.StartClickHouse(ctx, k.options)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testbed: ClickHouse does not start again:", err)
		return nil
	}
	k.engine = engine
	return engine
}

func (k *keptClickHouse) stop() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stopped = true
	return k.engine.Stop()
}
