package pii_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnhq/cairn/services/collector/internal/pii"
)

const secret = "namespace secret"

func rules(tb testing.TB, list ...pii.Rule) *pii.Rules {
	tb.Helper()
	r, err := pii.Compile(list, []byte(secret))
	require.NoError(tb, err)
	return r
}

func hashed(text string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return `"hmac:` + hex.EncodeToString(mac.Sum(nil)) + `"`
}

func TestRulesChangeTheirPathsOnly(t *testing.T) {
	drop := func(path string) pii.Rule { return pii.Rule{Path: path, Do: pii.Drop} }
	hash := func(path string) pii.Rule { return pii.Rule{Path: path, Do: pii.Hash} }
	cut := func(path string, keep int) pii.Rule { return pii.Rule{Path: path, Do: pii.Truncate, Keep: keep} }
	for name, c := range map[string]struct {
		rules    []pii.Rule
		in, want string
	}{
		"nothing there":        {[]pii.Rule{drop("properties.email")}, `{"email":"a", "properties" : {"e":1}}`, `{"email":"a", "properties" : {"e":1}}`},
		"the only member":      {[]pii.Rule{drop("properties.email")}, `{"properties":{ "email" : "a@b" }}`, `{"properties":{}}`},
		"the first":            {[]pii.Rule{drop("properties.email")}, `{"properties":{"email":"a@b", "x":1}}`, `{"properties":{"x":1}}`},
		"the last":             {[]pii.Rule{drop("properties.email")}, `{"properties":{"x":1, "email":"a@b"}}`, `{"properties":{"x":1}}`},
		"in the middle":        {[]pii.Rule{drop("properties.email")}, `{"properties":{"x":1, "email":"a@b" , "y":2}}`, `{"properties":{"x":1,"y":2}}`},
		"given twice":          {[]pii.Rule{drop("properties.email")}, `{"properties":{"email":1,"x":1,"email":2,"\u0065mail":3}}`, `{"properties":{"x":1}}`},
		"several in a run":     {[]pii.Rule{drop("traits.a"), drop("traits.b")}, `{"traits":{"x":1,"a":1,"b":2,"y":3}}`, `{"traits":{"x":1,"y":3}}`},
		"a whole object":       {[]pii.Rule{drop("properties.customer")}, `{"properties":{"customer":{"a":[1,{"b":2}]},"x":1}}`, `{"properties":{"x":1}}`},
		"below a list":         {[]pii.Rule{drop("properties.items.name")}, `{"properties":{"items":[{"name":"a","n":1},{"n":2,"name":"b"},7]}}`, `{"properties":{"items":[{"n":1},{"n":2},7]}}`},
		"any member":           {[]pii.Rule{drop("traits.*")}, `{"traits":{"a":1,"b":{}}}`, `{"traits":{}}`},
		"any element":          {[]pii.Rule{drop("properties.list.*")}, `{"properties":{"list":[1,"a"]}}`, `{"properties":{"list":[null,null]}}`},
		"below any member":     {[]pii.Rule{drop("properties.*.email")}, `{"properties":{"a":{"email":1},"b":{"x":1,"email":2},"email":3}}`, `{"properties":{"a":{},"b":{"x":1},"email":3}}`},
		"hashed":               {[]pii.Rule{hash("properties.email")}, `{"properties":{"email":"a@\u0062","n":1}}`, `{"properties":{"email":` + hashed("a@b") + `,"n":1}}`},
		"a number hashed":      {[]pii.Rule{hash("context.n")}, `{"context":{"n": 12}}`, `{"context":{"n": ` + hashed("12") + `}}`},
		"null stays":           {[]pii.Rule{hash("context.n")}, `{"context":{"n":null}}`, `{"context":{"n":null}}`},
		"cut":                  {[]pii.Rule{cut("properties.zip", 2)}, `{"properties":{"zip":"äöüß"}}`, `{"properties":{"zip":"äö"}}`},
		"cut by default":       {[]pii.Rule{cut("properties.born", 0)}, `{"properties":{"born":"1970-01-02"}}`, `{"properties":{"born":"1970"}}`},
		"shorter already":      {[]pii.Rule{cut("properties.zip", 9)}, `{"properties":{"zip":"12"}}`, `{"properties":{"zip":"12"}}`},
		"an address":           {[]pii.Rule{cut("properties.ip", 9)}, `{"properties":{"ip":"203.0.113.77"}}`, `{"properties":{"ip":"203.0.113.0"}}`},
		"an object cut":        {[]pii.Rule{cut("properties.o", 9)}, `{"properties":{"o":{"a":1}}}`, `{"properties":{"o":null}}`},
		"in other case":        {[]pii.Rule{drop("properties.e_mail"), drop("properties.Customer.name")}, `{"properties":{"E_Mail":1,"customer":{"NAME":"x","n":1}}}`, `{"properties":{"customer":{"n":1}}}`},
		"traits' other place":  {[]pii.Rule{hash("traits.phone")}, `{"context":{"traits":{"phone":"1"}}}`, `{"context":{"traits":{"phone":` + hashed("1") + `}}}`},
		"traits the other way": {[]pii.Rule{drop("context.traits.a.b")}, `{"traits":{"a":{"b":1,"c":2},"b":3}}`, `{"traits":{"a":{"c":2},"b":3}}`},
		"drop beats hash":      {[]pii.Rule{hash("traits.a"), drop("traits.*")}, `{"traits":{"a":1}}`, `{"traits":{}}`},
		"changes and removals": {[]pii.Rule{hash("traits.a"), drop("traits.b"), cut("traits.c", 1)}, `{"x":1,"traits":{"b":1,"a":"z","b":1,"c":"yy","b":2},"z":2}`, `{"x":1,"traits":{"a":` + hashed("z") + `,"c":"y"},"z":2}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := rules(t, c.rules...).Touchpoint([]byte(c.in))
			require.True(t, ok)
			require.Equal(t, c.want, string(got))
		})
	}
}

func TestRejectedEventsAreCleanedWhateverTheirForm(t *testing.T) {
	r := rules(t, pii.Rule{Path: "properties.email", Do: pii.Drop}, pii.Rule{Path: "traits.phone.*", Do: pii.Hash})
	for in, want := range map[string]string{
		`{"event":{"email":"a@b","x":[{"email":1}]}}`: `{"event":{"x":[{}]}}`,
		`[{"phone":"1"}]`:       `[{"phone":` + hashed("1") + `}]`,
		`{"email":"a@b"`:        pii.Unreadable,
		`email=a@b`:             pii.Unreadable,
		``:                      pii.Unreadable,
		`"a text"`:              pii.Unreadable, // perhaps the one cell of a table
		`{"Email":"a@b","x":1}`: `{"x":1}`,
		`{"ue_pr":"{\"data\":{\"email\":\"a@b\",\"x\":1}}","e":"ue"}`:                                  `{"ue_pr":"{\"data\":{\"x\":1}}","e":"ue"}`,
		`{"ue_px":"` + base64.RawURLEncoding.EncodeToString([]byte(`{"email":"a@b","x":"?>"}`)) + `"}`: `{"ue_px":"` + base64.StdEncoding.EncodeToString([]byte(`{"x":"?>"}`)) + `"}`,
		`{"cx":"[{\"email\":"}`: `{"cx":` + pii.Unreadable + `}`,
		`{"nothing":"to hide"}`: `{"nothing":"to hide"}`,
	} {
		require.Equal(t, want, string(r.Rejected([]byte(in))), in)
	}
	var none *pii.Rules
	require.Equal(t, "email=a@b", string(none.Rejected([]byte("email=a@b"))))
}

// TestAddressesOfRejectedEventsAreTruncated: an event that is kept as it came has
// addresses where its protocol has them.
func TestAddressesOfRejectedEventsAreTruncated(t *testing.T) {
	for in, want := range map[string]string{
		`{"context":{"ip":"203.0.113.77","x":1}}`:        `{"context":{"ip":"203.0.113.0","x":1}}`,
		`{"properties":{"$ip":"2001:db8:1:2::3"}}`:       `{"properties":{"$ip":"2001:db8:1::"}}`,
		`{"ip":"203.0.113.77:81","IP":"x 203.0.113.77"}`: `{"ip":"203.0.113.0","IP":""}`,
		`{"ip":["203.0.113.77"]}`:                        `{"ip":null}`,
		`{"co":"{\"ip\":\"203.0.113.77\"}"}`:             `{"co":"{\"ip\":\"203.0.113.0\"}"}`,
		`{"ip": null, "co":"{no JSON"}`:                  `{"ip": null, "co":"{no JSON"}`,
		`"203.0.113.77"`:                                 `"203.0.113.77"`,
		`ip;203.0.113.77`:                                `ip;203.0.113.77`,
	} {
		require.Equal(t, want, string(pii.Addresses([]byte(in))), in)
	}
}

func TestCompileSaysWhatIsWrong(t *testing.T) {
	for want, r := range map[string]pii.Rule{
		"want names with dots":  {Path: "email", Do: pii.Drop},
		"properties..a":         {Path: "properties..a", Do: pii.Drop},
		"want one below":        {Path: "userId.x", Do: pii.Drop},
		"want drop, hash":       {Path: "traits.a", Do: "mask"},
		"for truncate only":     {Path: "traits.a", Do: pii.Drop, Keep: 3},
		"identity.secret is no": {Path: "traits.a", Do: pii.Hash},
	} {
		_, err := pii.Compile([]pii.Rule{r}, nil)
		require.ErrorContains(t, err, want)
	}
}

// What is named is gone, all else is as it was: held against a tree.
func TestDroppingAgreesWithATree(t *testing.T) {
	r := rules(t, pii.Rule{Path: "properties.a", Do: pii.Drop}, pii.Rule{Path: "properties.b.c", Do: pii.Drop}, pii.Rule{Path: "context.*.a", Do: pii.Drop})
	var drop func(v any, path ...string)
	drop = func(v any, path ...string) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				drop(e, path...)
				if path[0] == "*" && len(path) > 1 {
					drop(e, path[1:]...)
				}
			}
		case map[string]any:
			for name, e := range v {
				if path[0] != "*" && path[0] != name {
					continue
				}
				if len(path) == 1 {
					delete(v, name)
				} else {
					drop(e, path[1:]...)
				}
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		var value func(depth int) any
		value = func(depth int) any {
			if depth == 0 || rapid.IntRange(0, 3).Draw(t, "kind") == 0 {
				return rapid.SampledFrom([]any{1.5, "a\"b", nil, true, "{,}"}).Draw(t, "leaf")
			}
			if depth < 4 && rapid.IntRange(0, 4).Draw(t, "list") == 0 {
				out := []any{}
				for range rapid.IntRange(0, 3).Draw(t, "n") {
					out = append(out, value(depth-1))
				}
				return out
			}
			out := map[string]any{}
			for range rapid.IntRange(0, 4).Draw(t, "n") {
				out[rapid.SampledFrom([]string{"a", "b", "c", "properties", "context"}).Draw(t, "name")] = value(depth - 1)
			}
			return out
		}
		tree := map[string]any{"properties": value(3), "context": value(3), "a": value(1)}
		text, err := json.MarshalIndent(tree, "", strings.Repeat(" ", rapid.IntRange(0, 2).Draw(t, "indent")))
		require.NoError(t, err)
		got, ok := r.Touchpoint(text)
		require.True(t, ok)
		drop(tree, "properties", "a")
		drop(tree, "properties", "b", "c")
		drop(tree, "context", "*", "a")
		want, err := json.Marshal(tree)
		require.NoError(t, err)
		require.JSONEq(t, string(want), string(got))
	})
}

func FuzzRejected(f *testing.F) {
	r := rules(f, pii.Rule{Path: "properties.email", Do: pii.Drop}, pii.Rule{Path: "properties.x.*", Do: pii.Truncate})
	f.Add([]byte(`{"email":"secret","a":[{"x":"yyyyyy"}]}`))
	f.Add([]byte(`{"email":{"email":[]},"e":{}}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, in []byte) {
		out := r.Rejected(in)
		if json.Valid(in) && !json.Valid(out) {
			t.Fatalf("%q became %q", in, out)
		}
		var tree any
		if json.Unmarshal(out, &tree) == nil && has(tree) {
			t.Fatalf("%q became %q", in, out)
		}
	})
}

func has(v any) bool {
	switch v := v.(type) {
	case []any:
		return slices.ContainsFunc(v, has)
	case map[string]any:
		for name, e := range v {
			if name == "email" || has(e) {
				return true
			}
		}
	}
	return false
}
