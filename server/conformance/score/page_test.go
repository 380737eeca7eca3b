package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/hydrant-go/hydrant/server/conformance"
)

// Each result has its place; what came by both SDKs is told once, and what was not
// run is no zero.
func TestPage(t *testing.T) {
	cases := []conformance.Case{{Area: "names", Name: "a_b", Source: "S"}, {Area: "names", Name: "c", Source: "S"}, {Area: "put", Name: "d", Source: "S"}}
	results := func(errs ...error) (list []conformance.Result) {
		for i, err := range errs {
			list = append(list, conformance.Result{Case: cases[i], Err: err})
		}
		return list
	}
	accepted, other := errors.New("accepted"), errors.New("c123-abcdef | other")
	got := string(page(cases, []column{
		{server: "local", sdk: conformance.Go, results: results(nil, nil, nil)},
		{server: "local", sdk: conformance.Boto3},
		{server: "moto", sdk: conformance.Go, results: results(accepted, accepted, nil)},
		{server: "moto", sdk: conformance.Boto3, results: results(accepted, other, nil)},
	}, "moto 5.2.1", "boto3"))
	for _, want := range []string{
		"as 3 cases.", "moto 5.2.1 are called by two of AWS's SDKs, that for Go and boto3, without",
		"\n|  | local by go | local by boto3 | moto by go | moto by boto3 |\n",
		"\n| **all** | **3 of 3** | **not run** | **1 of 3** | **1 of 3** |\n",
		"\n| [names](#names) | 2 of 2 | not run | 0 of 2 | 0 of 2 |\n| [put](#put) | 1 of 1 | not run | 1 of 1 | 1 of 1 |\n",
		"\n## names\n\n| case | source | local by go |",
		"\n| a\\_b | S | yes | not run | **no** | **no** |\n",
		"\nWhat came instead:\n\n- *a\\_b*, moto: accepted\n- *c*, moto: accepted (by go)\n- *c*, moto: STREAM \\| other (by boto3)\n",
		"\n## put\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
	if strings.Count(got, "What came instead") != 1 {
		t.Error("an area without differences lists some")
	}
}
