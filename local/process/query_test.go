package process

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestQuery(t *testing.T) {
	// The record and the queries of the developer guide (partitioning keys).
	const guide = `{"type":{"device":"mobile","event":"user_clicked_submit_button"},"customer_id":"1234567890","event_timestamp":1565382027,"region":"sample_region"}`
	const noObject = "the query must give an object of partition keys, such as {key: .member}"
	for name, test := range map[string]struct {
		query, in string
		want      map[string]string
		message   string // of a failure, or its beginning with …
	}{
		"the guide's": {
			`{customer_id: .customer_id, device: .type.device, year: .event_timestamp|strftime("%Y"), month: .event_timestamp|strftime("%m"), day: .event_timestamp|strftime("%d"), hour: .event_timestamp|strftime("%H")}`, guide,
			map[string]string{"customer_id": "1234567890", "device": "mobile", "year": "2019", "month": "08", "day": "09", "hour": "20"},
			"",
		},
		"the CDK's form":    {`{"customer_id":.customer_id,"year":.event_timestamp|strftime("%Y")}`, guide, map[string]string{"customer_id": "1234567890", "year": "2019"}, ""},
		"numbers and bools": {"{i: .i, big: .big, f: .f, sum: (.i + 1), t: .t, n: .n}", `{"i":12,"big":12345678901234567890,"f":0.50,"t":true,"n":false}`, map[string]string{"i": "12", "big": "12345678901234567890", "f": "0.50", "sum": "13", "t": "true", "n": "false"}, ""},
		"white space":       {"{a: .a}", " {\"a\":1}\n", map[string]string{"a": "1"}, ""},
		"a pipe":            {".x | {a: .b}", `{"x":{"b":"c"}}`, map[string]string{"a": "c"}, ""},
		"a function":        {"def f: .a; {a: f}", `{"a":"b"}`, map[string]string{"a": "b"}, ""},
		"a fallback":        {`{o: (if (.o // "") == "" then "none" else .o end)}`, `{"o":""}`, map[string]string{"o": "none"}, ""},
		"no key at all":     {"{}", `{}`, map[string]string{}, ""},
		"missing":           {"{a: .a, b: .b}", `{"a":1}`, nil, messageNoKey},
		"null":              {"{a: .a}", `{"a":null}`, nil, messageNoKey},
		"empty":             {"{a: .a}", `{"a":""}`, nil, messageNoKey},
		"a list":            {"{a: .a}", `{"a":[1]}`, nil, `partitionKeys values must be strings, numbers or booleans, and that of "a" is none of them`},
		"text":              {"{a: .a}", `a=1`, nil, messageNoJSON},
		"nothing":           {"{a: .a}", ``, nil, messageNoJSON},
		"two objects":       {"{a: .a}", `{"a":1}{"a":2}`, nil, messageNoJSON},
		"cut off":           {"{a: .a}", `{"a":1`, nil, messageNoJSON},
		"an array":          {"{a: .a}", `[{"a":1}]`, nil, "…expected an object but got: array"},
		"no object":         {".a", `{"a":1}`, nil, noObject},
		"no result":         {"empty", `{}`, nil, noObject},
		"two results":       {"{a: (1, 2)}", `{}`, nil, "the query gives more than one result for this record"},
		"halt":              {"halt", `{}`, nil, "…halt"},
		"environment":       {"{a: env.PATH}", `{}`, nil, messageNoKey},
		"an endless loop":   {"{a: last(repeat(1))}", `{}`, nil, "the query takes more than 50ms for this record"},
		"endless recursion": {"def f: f; f", `{}`, nil, "the query takes more than 50ms for this record"},
	} {
		t.Run(name, func(t *testing.T) {
			c := chain(t, querying(test.query))
			c.query.max = 50 * time.Millisecond
			start := time.Now()
			out, failed := run(t, c, records(test.in)...)
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
			if test.message == "" {
				if len(failed) > 0 {
					t.Fatal(failed[0].Message)
				}
				if diff := cmp.Diff(test.want, out[0].FromQuery); diff != "" || string(out[0].Data) != test.in {
					t.Errorf("(-want +got):\n%s", diff)
				}
				return
			}
			if len(out) > 0 || len(failed) != 1 {
				t.Fatalf("%d out, %d failed", len(out), len(failed))
			}
			f := failed[0]
			if part, ok := strings.CutPrefix(test.message, "…"); !ok && f.Message != test.message || ok && !strings.Contains(f.Message, part) {
				t.Errorf("message %q, want %q", f.Message, test.message)
			}
			if f.Type != MetadataExtractionFailed || f.Code != codeMetadata || f.Attempts != 1 || f.LambdaARN != "" || string(f.Record.Raw) != test.in {
				t.Errorf("%+v", f)
			}
		})
	}
}

func TestQueryKeys(t *testing.T) {
	for query, want := range map[string][]string{
		`{b: .x, a: .y, "c d": 1}`:      {"a", "b", "c d"},
		`.x | {a: .y}`:                  {"a"},
		`{a, "b"}`:                      {"a", "b"},
		`. as $v | {$v}`:                {"v"},
		`{}`:                            nil,
		`{(.x): 1}`:                     nil,
		`{"a\(.x)": 1}`:                 nil,
		`{a: 1} + {b: 2}`:               nil,
		`{a: {b: 1}}.a`:                 nil,
		`if .x then {a: 1} else . end`:  nil,
		`.x // {a: 1}`:                  nil,
		`def f: {z: 1}; {a: 1, b: f.z}`: {"a", "b"},
	} {
		keys, ok := chain(t, querying(query)).Query()
		if diff := cmp.Diff(want, keys); diff != "" || !ok {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
	if keys, ok := chain(t, byJSON).Query(); ok || keys != nil {
		t.Errorf("a query out of nothing: %v", keys)
	}
}

// TestQueryEndsWithContext: an interrupted query decides nothing.
func TestQueryEndsWithContext(t *testing.T) {
	c := chain(t, querying("def f: f; f"))
	c.query.max = time.Hour
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	out, failed, err := c.Run(ctx, records("{}"))
	if err == nil || out != nil || failed != nil {
		t.Errorf("%v %v %v", out, failed, err)
	}
}
