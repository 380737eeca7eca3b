package hydrant_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant"
)

func dead(data string) hydrant.DeadRecord {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return hydrant.DeadRecord{Stream: "s", Data: []byte(data), Code: "Code", Message: "why", Attempts: 2, First: at, Last: at.Add(time.Second)}
}

func readDead(t *testing.T, path string) (records []hydrant.DeadRecord, bad int) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		var r hydrant.DeadRecord
		if json.Unmarshal(lines.Bytes(), &r) != nil {
			bad++
			continue
		}
		records = append(records, r)
	}
	return records, bad
}

func TestDeadLetterFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dead.ndjson")
	f := hydrant.NewDeadLetterFile(path)
	if _, err := os.Stat(path); err == nil {
		t.Error("the file is there before the first record")
	}
	want := []hydrant.DeadRecord{dead("a\n"), dead("\x00\xff"), dead("")}
	want[2].Data = []byte{}
	for _, r := range want {
		if err := f.Write(t.Context(), []hydrant.DeadRecord{r}); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil { // the next Write opens it again
			t.Fatal(err)
		}
	}
	got, bad := readDead(t, path)
	if diff := gocmp.Diff(want, got); diff != "" || bad != 0 {
		t.Errorf("%d bad lines\n%s", bad, diff)
	}
}

// A line that a crash has cut short costs only itself.
func TestDeadLetterFileAfterATornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dead.ndjson")
	if err := os.WriteFile(path, []byte(`{"stream":"s","da`), 0o600); err != nil {
		t.Fatal(err)
	}
	f := hydrant.NewDeadLetterFile(path)
	defer f.Close()
	for range 2 {
		if err := f.Write(t.Context(), []hydrant.DeadRecord{dead("a")}); err != nil {
			t.Fatal(err)
		}
	}
	if got, bad := readDead(t, path); len(got) != 2 || bad != 1 {
		t.Errorf("%d records and %d bad lines, want 2 and 1", len(got), bad)
	}
}

func TestDeadLetterFileInAFolderThatIsNotThere(t *testing.T) {
	f := hydrant.NewDeadLetterFile(filepath.Join(t.TempDir(), "no", "dead.ndjson"))
	if err := f.Write(t.Context(), []hydrant.DeadRecord{dead("a")}); err == nil {
		t.Error("no error")
	}
}
