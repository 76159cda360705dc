//go:build linux

// Package e2e runs the real binary as child processes and checks with SQL what
// became of what went in. What is right is computed by the tests themselves
// (oracle_test.go), from the input alone.
//
// It wants Linux: it pauses and kills children, and finds theirs in /proc.
package e2e

import (
	"testing"

	"github.com/cairnhq/cairn/pkg/testbed"
)

func TestMain(m *testing.M) { testbed.Main(m) }
