package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// Versions of the engines. The cache folders carry them, so that an upgrade fetches anew.
const (
	EngineVersion = "26.7.3-stable.1" // of the npm package @chdb/lib-linux-x64-gnu
	KafkaVersion  = "4.3.1"           // of org.apache.kafka:kafka_2.13
)

const enginePackage = "@chdb/lib-linux-x64-gnu"

// EnvLibrary names the environment variable that points at a libchdb.so outside the cache folder.
const EnvLibrary = "CAIRN_CHDB_LIB"

// CacheDir is the folder that holds the engines: cairn below the user's cache folder. It may not exist yet.
func CacheDir() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("the user's cache folder is unknown (set HOME or XDG_CACHE_HOME): %w", err)
	}
	return filepath.Join(base, "cairn"), nil
}

// EngineLibrary is the path of the ClickHouse engine. It is an error if there is none.
func EngineLibrary() (string, error) {
	if path := os.Getenv(EnvLibrary); path != "" {
		if err := readable(path); err != nil {
			return "", fmt.Errorf("%s names a file that cannot be read: %w", EnvLibrary, err)
		}
		return path, nil
	}
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return "", fmt.Errorf("the local ClickHouse engine exists for linux/amd64 only, not for %s/%s: pass --clickhouse with the address of a server", runtime.GOOS, runtime.GOARCH)
	}
	dir, err := engineDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "package", "libchdb.so")
	if err := readable(path); errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("the ClickHouse engine is not installed (%s is missing): run \"make deps\", or pass --clickhouse with the address of a server", path)
	} else if err != nil {
		return "", fmt.Errorf("the ClickHouse engine cannot be read: %w", err)
	}
	return path, nil
}

// KafkaJars is the folder of the Kafka broker's jars. It is an error if they are not there.
func KafkaJars() (string, error) {
	dir, err := kafkaDir()
	if err != nil {
		return "", err
	}
	jar := filepath.Join(dir, "kafka_2.13-"+KafkaVersion+".jar")
	if err := readable(jar); errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("the jars of Kafka are not installed (%s is missing): run \"make deps\" (it needs Maven), or name a running Kafka", jar)
	} else if err != nil {
		return "", fmt.Errorf("read Kafka's jars: %w", err)
	}
	return dir, nil
}

func engineDir() (string, error) {
	dir, err := CacheDir()
	return filepath.Join(dir, "chdb-"+EngineVersion), err
}

func kafkaDir() (string, error) {
	dir, err := CacheDir()
	return filepath.Join(dir, "kafka-"+KafkaVersion), err
}

func readable(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return f.Close()
}
