package local

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestParsePlan(t *testing.T) {
	text := `{"seed":7,"refuse":0.1,"delay":"200ms","rules":[{"op":"PutRecord","share":1,"status":500,"code":"InternalFailure"},{"share":0.5,"refuse":0.2,"reset":"after","delay":"1s"}]}`
	want := &Plan{Seed: 7, Refuse: 0.1, DelayShare: 1, Delay: 200 * time.Millisecond, Rules: []Rule{
		{Op: "PutRecord", Share: 1, Status: 500, Code: "InternalFailure"},
		{Share: 0.5, Refuse: 0.2, Reset: ResetAfter, Delay: time.Second},
	}}
	got, err := ParsePlan([]byte(text))
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Plan{})); err != nil || diff != "" {
		t.Fatalf("%v (-want +got):\n%s", err, diff)
	}
	again, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ParsePlan(again); err != nil || !cmp.Equal(want, got, cmpopts.IgnoreUnexported(Plan{})) {
		t.Errorf("%s is read as %+v, %v", again, got, err)
	}
	for text, want := range map[string]string{
		`{`:                                    "unexpected EOF",
		`{"refusal":1}`:                        `unknown field "refusal"`,
		`{"refuse":2}`:                         "the share Refuse is 2",
		`{"delay":"5"}`:                        "missing unit",
		`{"rules":[{}]}`:                       "the share of rule 1 is 0, so it never applies",
		`{"rules":[{"share":1,"op":"Put"}]}`:   `the op of rule 1 is "Put"`,
		`{"rules":[{"share":1,"status":200}]}`: "the status of rule 1 is 200",
		`{"rules":[{"share":1,"reset":"never"}]}`: `reset is "never"`,
	} {
		if _, err := ParsePlan([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestRules(t *testing.T) {
	p := &Plan{Rules: []Rule{
		{Op: "PutRecord", Share: 1, Status: 500, Code: "InternalFailure", Message: "m"},
		{Share: 0.5, Refuse: 1, Code: "X", Message: "y"},
		{Share: 1},
	}}
	if f := p.Next("PutRecord", 1); f.Status != 500 || f.Code != "InternalFailure" || f.Message != "m" || f.Refuse != nil {
		t.Errorf("PutRecord: %+v", f)
	}
	refused, failed := 0, 0
	for range 1000 {
		switch f := p.Next("PutRecordBatch", 2); {
		case f.Refuse != nil:
			if code, message := f.Refuse(1); code != "X" || message != "y" {
				t.Fatalf("refused with %s %s", code, message)
			}
			refused++
		case f.Code == "ServiceUnavailableException" && f.Status == 503 && f.Message == "Slow down.":
			failed++
		}
	}
	if refused+failed != 1000 || refused < 400 || refused > 600 {
		t.Errorf("%d calls refused, %d failed", refused, failed)
	}
}
