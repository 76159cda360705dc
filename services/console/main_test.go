package console

import (
	"testing"

	"github.com/cairnhq/cairn/pkg/testbed"
)

func TestMain(m *testing.M) { testbed.Main(m) }
