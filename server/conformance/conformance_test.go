package conformance

import (
	"errors"
	"testing"
)

// The cases against the local Firehose, by each SDK.
func TestLocal(t *testing.T) { runLocal(t, Go) }
func TestBoto3(t *testing.T) { runLocal(t, Boto3) }

func runLocal(t *testing.T, sdk SDK) {
	t.Parallel()
	e, stop, err := Local(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := stop(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	results, err := Run(t.Context(), e, sdk, Cases())
	if errors.Is(err, ErrNoBoto3) {
		t.Skipf("SKIPPED, the cases are not run by boto3: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		switch {
		case r.Known != "" && r.Err == nil:
			t.Errorf("%s passes, though it is known to fail: %s", r.Name, r.Known)
		case r.Known == "" && r.Err != nil:
			t.Errorf("%s (%s): %.600v", r.Name, r.Source, r.Err)
		}
	}
}

func TestTable(t *testing.T) {
	cases, seen := Cases(), map[string]bool{}
	if len(cases) < 60 {
		t.Errorf("%d cases, want 60", len(cases))
	}
	for _, c := range cases {
		if c.Name == "" || c.Source == "" || c.Area == "" || len(c.Steps) == 0 || seen[c.Name] {
			t.Errorf("%q of %q has no source, area or steps, or is there twice", c.Name, c.Source)
		}
		seen[c.Name] = true
	}
}
