package ui

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// glass is a terminal as far as a List needs one: what is on it, line by line.
type glass struct {
	mu    sync.Mutex // guards lines and row
	lines []string
	row   int
}

func (g *glass) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for s := string(p); s != ""; {
		var up int
		if n, _ := fmt.Sscanf(s, "\x1b[%dA\r\x1b[J", &up); n == 1 {
			g.row -= up
			g.lines = g.lines[:g.row]
			_, s, _ = strings.Cut(s, "J")
			continue
		}
		line, rest, whole := strings.Cut(s, "\n")
		if !whole {
			panic(fmt.Sprintf("half a line: %q", p))
		}
		g.lines, g.row, s = append(g.lines, line), g.row+1, rest
	}
	return len(p), nil
}

func (g *glass) show() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return strings.Join(g.lines, "\n")
}

func onGlass(width, height int) (*List, *glass) {
	g := &glass{}
	l := NewList(g)
	l.size = func() (int, int) { return width, height }
	l.start()
	return l, g
}

func checkGlass(t *testing.T, g *glass, want ...string) {
	t.Helper()
	if diff := cmp.Diff(strings.Join(want, "\n"), g.show()); diff != "" {
		t.Errorf("the screen (-want +got):\n%s", diff)
	}
}

func TestList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, g := onGlass(40, 24)
		l.Say("begin %d", 1)
		checkGlass(t, g, "begin 1")
		l.Set("a", "unseen", "busy", "Größe", "x")
		l.Set("b", "unseen", "not yet", "B")
		checkGlass(t, g, "begin 1", "busy     Größe  x", "not yet  B", "0s")
		time.Sleep(3500 * time.Millisecond)
		synctest.Wait()
		checkGlass(t, g, "begin 1", "busy     Größe  x", "not yet  B", "3.0s")
		l.Set("a", "unseen", "done\x1b[31m", "Größe")
		checkGlass(t, g, "begin 1", "done [31m  Größe", "not yet    B", "3.0s")
		l.Say("a word")
		checkGlass(t, g, "begin 1", "a word", "done [31m  Größe", "not yet    B", "3.0s")
		l.Set("c", "unseen", strings.Repeat("wide ", 20))
		if got := g.lines[4]; len(got) != 39 || !strings.HasSuffix(got, "...") {
			t.Errorf("in 40 columns: %q", got)
		}
		l.Stop()
		last := g.show()
		l.Stop()
		time.Sleep(time.Minute)
		l.Set("d", "", "late")
		if g.show() != last {
			t.Errorf("drawn after Stop:\n%s", g.show())
		}
	})
}

// In a low terminal what changed last stays, in its order.
func TestListLow(t *testing.T) {
	l, g := onGlass(40, 5)
	defer l.Stop()
	for i := range 6 {
		l.Set(fmt.Sprint(i), "", fmt.Sprint("row ", i))
	}
	checkGlass(t, g, "row 3", "row 4", "row 5", "0s")
	l.Set("1", "", "row 1 again")
	checkGlass(t, g, "row 1 again", "row 4", "row 5", "0s")
}

func TestListWithoutTerminal(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var buf bytes.Buffer
	for _, l := range []*List{NewList(&buf), NewList(file)} {
		l.Set("a", "a is\nbusy", "x")
		l.Set("a", "", "y")
		l.Say("%s", "word")
		l.Set("a", "a is done", "z")
		l.Stop()
	}
	want := "a is busy\nword\na is done\n"
	inFile, err := os.ReadFile(file.Name())
	if err != nil || buf.String() != want || string(inFile) != want {
		t.Errorf("%q and %q, %v", buf.String(), inFile, err)
	}
}
