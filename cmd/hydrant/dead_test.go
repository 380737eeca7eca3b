package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant"
)

// Every line means what it means to the standard library's decoder.
func TestDeadLines(t *testing.T) {
	whole := `{"stream":"s","source":"a\u00e9\"b","position":-7,"data":"b25lCg==","code":"","message":"\ud83d\ude00 \t é","attempts":3,"first":"2026-01-01T00:00:00.123456789Z","last":"2026-01-01T01:00:00+02:00","maybe_delivered":true}`
	lines := []string{
		whole, whole[:len(whole)-1], whole + "}", whole + " x", "  " + whole + "\r", `{}`, `null`, `[]`, `"s"`, `{"stream":1}`, `{"stream":"s"}`, `{"STREAM":"s"}`,
		`{"stream":"s","data":null}`, `{"stream":"s","data":"b25lCg"}`, `{"stream":"s","data":"!!"}`, `{"stream":"s","data":"b25l\\u0043g=="}`,
		`{"stream":"s","first":"yesterday"}`, `{"stream":"s","attempts":1.5}`, `{"stream":"s","attempts":99999999999999999999}`,
		`{"stream":"s","unknown":{"a":[1,{"b":null}]}}`, `{"stream":"s","stream":"t"}`, "{\"stream\":\"a\xffb\"}", `{"stream":"s",}`, `{'stream':'s'}`,
		`{"stream":"s","data":[104,105]}`, `{"stream":"s","maybe_delivered":"true"}`, `{"stream":"s","message":"\ud800"}`,
	}
	for _, text := range lines {
		for i := range 2 { // with a line end and without
			text := text + strings.Repeat("\n", i)
			var want hydrant.DeadRecord
			wantErr := json.Unmarshal([]byte(text), &want)
			var got []*deadLine
			for d, err := range deadLines(strings.NewReader(text), everyLine) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, d)
			}
			if len(got) != 1 {
				t.Fatalf("%q: %d lines", text, len(got))
			}
			d := got[0]
			if bad := wantErr != nil || want.Stream == ""; bad != (d.err != nil) || d.torn != (bad && i == 0) {
				t.Errorf("%q: %v, torn %v, the standard library says %v", text, d.err, d.torn, wantErr)
			}
			if diff := gocmp.Diff(want, d.DeadRecord); wantErr == nil && diff != "" {
				t.Errorf("%q: %s", text, diff)
			}
		}
	}
}

func TestDeadLetters(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{
		"d-20260102T030405.006Z.ndjson", "d-20260101T030405.006Z-2.ndjson", "d-20260103T030405.006Z.ndjson.gz", "d.ndjson",
		"d.ndjson.again", "d-x.ndjson", "dd-20260102T030405.006Z.ndjson", "d-20260102T030405.006Z.ndjson.replayed",
	} {
		if err := appendSynced(name, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	got, err := deadLetters("d.ndjson")
	want := []string{"d-20260101T030405.006Z-2.ndjson", "d-20260102T030405.006Z.ndjson", "d-20260103T030405.006Z.ndjson.gz", "d.ndjson"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}
