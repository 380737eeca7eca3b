package process

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLogs(t *testing.T) {
	plain := []Processor{decompression}
	both := []Processor{extraction, decompression}
	off := []Processor{decompression, processor("CloudWatchLogProcessing", "DataMessageExtraction", "False")}
	for name, test := range map[string]struct {
		processors []Processor
		in         string
		want       []string // nil: it fails
	}{
		"decompressed as it is":     {plain, gzipped(" " + envelope("a") + "\n"), []string{" " + envelope("a") + "\n"}},
		"two members of gzip":       {plain, gzipped("[1") + gzipped("]"), []string{"[1]"}},
		"JSON that is no log":       {plain, gzipped(`{"a":1}`), []string{`{"a":1}`}},
		"extraction that is off":    {off, gzipped(envelope("a")), []string{envelope("a")}},
		"messages":                  {both, gzipped(envelope("hogehoge", "", "fuga\n<x>")), []string{"hogehoge\n\nfuga\n<x>\n"}},
		"no message":                {both, gzipped(envelope()), []string{""}},
		"a control message":         {both, gzipped(control), []string{""}},
		"not compressed":            {plain, envelope("a"), nil},
		"empty":                     {plain, "", nil},
		"cut off":                   {plain, gzipped(envelope("a"))[:20], nil},
		"rubbish behind":            {plain, gzipped(envelope("a")) + "x", nil},
		"no JSON":                   {plain, gzipped("a line of text"), nil},
		"JSON of another kind":      {both, gzipped(`{"a":1}`), nil},
		"a list":                    {both, gzipped(`[]`), nil},
		"a message of another type": {both, gzipped(`{"messageType":"OTHER","logEvents":[]}`), nil},
		"no events":                 {both, gzipped(`{"messageType":"DATA_MESSAGE"}`), nil},
		"an event without message":  {both, gzipped(`{"messageType":"DATA_MESSAGE","logEvents":[{"id":"1"}]}`), nil},
	} {
		t.Run(name, func(t *testing.T) {
			out, failed := run(t, chain(t, test.processors...), records(test.in)...)
			if diff := cmp.Diff(test.want, datas(out)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if test.want != nil {
				if len(failed) > 0 {
					t.Errorf("failed: %v", failed[0].Message)
				}
				return
			}
			if len(failed) != 1 {
				t.Fatalf("%d records failed", len(failed))
			}
			f := failed[0]
			if f.Type != "decompression-failed" || f.Code != "Decompression failed." ||
				f.Message != "Decompression failed because input data does not conform to cloudwatch log." ||
				f.Attempts != 1 || f.LambdaARN != "" || string(f.Record.Raw) != test.in {
				t.Errorf("%s %s %s %d %q", f.Type, f.Code, f.Message, f.Attempts, f.LambdaARN)
			}
		})
	}
}

// TestCompressedRaw: what fails after decompression has the compressed bytes.
func TestCompressedRaw(t *testing.T) {
	in := gzipped(envelope("no JSON", `{"a":1}`))
	_, failed := run(t, chain(t, decompression, extraction, querying("{a: .a}")), records(in)...)
	if len(failed) != 1 || string(failed[0].Record.Raw) != in || string(failed[0].Record.Data) != "no JSON\n{\"a\":1}\n" {
		t.Errorf("%+v", failed)
	}
}

func TestGunzipIsBounded(t *testing.T) {
	for text, want := range map[string]bool{"": true, "12345": true, "123456": false, "1234567890": false} {
		if out, err := gunzip([]byte(gzipped(text)), 5); (err == nil) != want || want && string(out) != text {
			t.Errorf("%q gives %q, %v", text, out, err)
		}
	}
}
