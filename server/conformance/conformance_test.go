package conformance

import "testing"

// TestLocal runs every case against the local Firehose.
func TestLocal(t *testing.T) {
	e, stop, err := Local(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := stop(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	for _, r := range Run(t.Context(), e, Cases()) {
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
