// Command gen compiles the .proto files of a folder and runs protoc plugins on
// them, so that generating needs nothing but Go.
//
//	go run ./schemas/proto/gen -I schemas/proto -module github.com/cairnhq/cairn -out . FILE...
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/pluginpb"
)

// plugins are the tools of go.mod that turn descriptors into Go, with their parameters.
func plugins() map[string]string {
	return map[string]string{
		"protoc-gen-go":         "",
		"protoc-gen-go-vtproto": ",features=marshal+unmarshal_unsafe+size+clone",
	}
}

func main() {
	log.SetFlags(0)
	root := flag.String("I", "schemas/proto", "folder that imports are relative to")
	module := flag.String("module", "github.com/cairnhq/cairn", "import path of -out")
	out := flag.String("out", ".", "folder the module stands in")
	flag.Parse()
	if err := run(context.Background(), *root, *module, *out, flag.Args()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, root, module, out string, files []string) error {
	compiler := protocompile.Compiler{
		Resolver:       &protocompile.SourceResolver{ImportPaths: []string{root}},
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	linked, err := compiler.Compile(ctx, files...)
	if err != nil {
		return err
	}
	req := &pluginpb.CodeGeneratorRequest{FileToGenerate: files}
	for _, f := range linked {
		req.ProtoFile = append(req.ProtoFile, protodesc.ToFileDescriptorProto(f))
	}
	for name, extra := range plugins() {
		req.Parameter = new("module=" + module + extra)
		if err := generate(ctx, name, req, out); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// generate runs one plugin and writes the files it answers with.
func generate(ctx context.Context, plugin string, req *pluginpb.CodeGeneratorRequest, out string) error {
	in, err := proto.Marshal(req)
	if err != nil {
		return err
	}
	var answer, complaint bytes.Buffer
	cmd := exec.CommandContext(ctx, "go", "tool", plugin)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &answer, &complaint
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(complaint.String()))
	}
	var res pluginpb.CodeGeneratorResponse
	if err := proto.Unmarshal(answer.Bytes(), &res); err != nil {
		return err
	}
	if res.Error != nil {
		return errors.New(res.GetError())
	}
	for _, f := range res.GetFile() {
		path := filepath.Join(out, f.GetName())
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(f.GetContent()), 0o644); err != nil {
			return err
		}
	}
	return nil
}
