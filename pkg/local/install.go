package local

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// InstallEngine fetches the ClickHouse engine with npm into the cache folder, if it is not there yet. It takes
// about 180 MB of download and 570 MB of disk. progress gets a line before the download starts.
func InstallEngine(ctx context.Context, progress io.Writer) error {
	if _, err := EngineLibrary(); err == nil {
		return nil
	}
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		_, err := EngineLibrary()
		return err
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		return errors.New("the ClickHouse engine is fetched with npm, which is not installed: install Node.js with npm, or use --clickhouse with the address of a server")
	}
	dir, err := engineDir()
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(progress, "fetching the ClickHouse engine %s %s with npm (180 MB) into %s\n", enginePackage, EngineVersion, dir)
	return install(dir, func(part string) error {
		// npm compares the archive with the checksum in the registry's answer.
		if err := run(ctx, part, npm, "pack", "--silent", enginePackage+"@"+EngineVersion); err != nil {
			return err
		}
		archives, err := filepath.Glob(filepath.Join(part, "*.tgz"))
		if err != nil || len(archives) != 1 {
			return fmt.Errorf("npm pack left %d archives, want one", len(archives))
		}
		if err := unpack(archives[0], part, "package/libchdb.so", "package/package.json"); err != nil {
			return err
		}
		return os.Remove(archives[0])
	})
}

// InstallKafka fetches the Kafka broker's jars with Maven into the cache folder, if they are not there yet. The
// pom names them. progress gets a line before the download starts.
func InstallKafka(ctx context.Context, pom []byte, progress io.Writer) error {
	if _, err := KafkaJars(); err == nil {
		return nil
	}
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return errors.New("the jars of Kafka are fetched with Maven, which is not installed: install it (Debian: apt-get install maven), or name a running Kafka")
	}
	dir, err := kafkaDir()
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(progress, "fetching Kafka %s with Maven (50 MB) into %s\n", KafkaVersion, dir)
	return install(dir, func(part string) error {
		file := filepath.Join(part, "pom.xml")
		if err := os.WriteFile(file, pom, 0o600); err != nil {
			return err
		}
		if err := run(ctx, part, mvn, "-q", "-B", "-f", file, "dependency:copy-dependencies", "-DoutputDirectory="+part); err != nil {
			return err
		}
		return os.Remove(file)
	})
}

// install fills a new folder and gives it its name once it is complete, so that an interrupted install leaves
// nothing that looks installed. Two at once do no harm: the second finds the name taken.
func install(dir string, fill func(part string) error) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fmt.Errorf("make the cache folder: %w", err)
	}
	if err := os.RemoveAll(dir); err != nil { // what is there is incomplete, or we would not install
		return fmt.Errorf("remove an incomplete install: %w", err)
	}
	part, err := os.MkdirTemp(filepath.Dir(dir), filepath.Base(dir)+".part-")
	if err != nil {
		return fmt.Errorf("make the cache folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(part) }()
	if err := fill(part); err != nil {
		return err
	}
	if err := os.Chmod(part, 0o755); err != nil {
		return err
	}
	if err := os.Rename(part, dir); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("finish the install: %w", err)
	}
	return nil
}

// run runs a command and returns the end of its output with the error.
func run(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		const limit = 2000
		text := strings.TrimSpace(string(out))
		return fmt.Errorf("%s %s: %w: %s", filepath.Base(name), args[0], err, text[max(0, len(text)-limit):])
	}
	return nil
}

// unpack writes the named files of a .tgz below dir. One that is not in it is an error.
func unpack(archive, dir string, names ...string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	gz, err := gzip.NewReader(f)
	if err != nil {
		return fmt.Errorf("unpack %s: %w", archive, err)
	}
	wanted := make(map[string]bool, len(names))
	for _, n := range names {
		wanted[n] = true
	}
	for tr := tar.NewReader(gz); len(wanted) > 0; {
		header, err := tr.Next()
		if err != nil {
			return fmt.Errorf("unpack %s (still missing %d files): %w", archive, len(wanted), err)
		}
		if !wanted[header.Name] {
			continue
		}
		delete(wanted, header.Name)
		if err := writeFile(filepath.Join(dir, filepath.FromSlash(header.Name)), tr); err != nil {
			return fmt.Errorf("unpack %s: %w", archive, err)
		}
	}
	return nil
}

func writeFile(path string, r io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}
