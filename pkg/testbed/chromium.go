package testbed

import (
	"errors"
	"os"
	"os/exec"
)

// FindChromium is the path of a browser to test pages with: CHROMIUM, or the first of the usual names on the PATH.
// Its error is a reason for Require.
func FindChromium() (string, error) {
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); name != "" && err == nil {
			return path, nil
		}
	}
	return "", errors.New("there is no Chromium on the PATH: run make deps or set CHROMIUM to its path")
}
