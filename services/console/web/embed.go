// Package web holds the built page of the console. Its source is in src; dist is
// committed, so that Go alone can build cairn: run npm ci and npm run build here
// after a change, "make check" sees to it that dist fits the source.
package web

import (
	"embed"
	"io/fs"
)

//go:embed dist
var dist embed.FS

// Dist is index.html and assets/*, whose names carry a hash of their content.
func Dist() fs.FS {
	sub, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // the name is a constant
	}
	return sub
}
