package collector

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/services/collector/internal/door"
	"github.com/cairnhq/cairn/services/collector/internal/doors"
)

func tableOf(t *testing.T, list ...door.Door) (*routes, error) {
	t.Helper()
	met, err := newMetrics(nil)
	require.NoError(t, err)
	return newRoutes(list, met, func(source string) *key { return &key{source: source} })
}

func TestTheDoorsDoNotGetInEachOthersWay(t *testing.T) {
	list, err := doors.All(doors.Settings{})
	require.NoError(t, err)
	table, err := tableOf(t, list...)
	require.NoError(t, err)
	for _, r := range table.exact {
		require.NotEmpty(t, r.doors)
		require.Contains(t, r.allow, "OPTIONS")
	}
}

func TestPathsFindTheirRoute(t *testing.T) {
	get := []string{http.MethodGet}
	table, err := tableOf(t,
		door.Door{Name: "a", Routes: []door.Route{{Path: "/x"}, {Path: "/x/*"}, {Path: "/p/*/s", Methods: get}}},
		door.Door{Name: "b", Source: "open", Routes: []door.Route{{Path: "/x", Methods: get}}},
	)
	require.NoError(t, err)
	for path, want := range map[string]string{
		"/x": "/x", "/x/": "/x", "/x/1": "/x/*", "/x/1/": "/x/*", "/x//": "", "/x/1/2": "", "/p/k/s": "/p/*/s", "/p/k/s/": "/p/*/s",
		"/p//s": "", "/p/k": "", "/": "", "": "", "x": "", "/X": "", "/p/k/s/t": "",
	} {
		at, _ := table.find(path)
		if want == "" {
			require.Nil(t, at, path)
			continue
		}
		require.NotNil(t, at, path)
		require.Equal(t, want, at.name, path)
	}
	at, path := table.find("/x/")
	require.Equal(t, "/x", path)
	require.Equal(t, "a", at.methods["POST"].door.Name)
	require.Equal(t, "b", at.methods["GET"].door.Name)
	require.Equal(t, "open", at.methods["GET"].door.nobody.source)
	require.Equal(t, "GET, OPTIONS, POST", at.allow)
	require.Equal(t, "a+b", at.doors)
}

func TestTwoDoorsCannotHaveTheSamePath(t *testing.T) {
	_, err := tableOf(t, door.Door{Name: "a", Routes: []door.Route{{Path: "/x/*"}}}, door.Door{Name: "b", Routes: []door.Route{{Path: "/x/*"}}})
	require.EqualError(t, err, "front doors a and b both want POST /x/*")
	_, err = tableOf(t, door.Door{Name: "a", Routes: []door.Route{{Path: "/x/"}}})
	require.ErrorContains(t, err, `"/x/"`)
}
