// Command soak proves that the hydrant command loses nothing: it kills a real
// process at random moments, over a local Firehose that fails at random, and
// compares what was accepted with what has arrived. Or it attacks one by all that a
// client must not do. It is make crash. The last line is the result, as JSON; the exit code is 1 if anything is
// wrong.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// soak is one run.
type soak struct {
	kills int
	rng   *rand.Rand
	dir   string // of all files of the run
	bin   string // the hydrant command
	out   io.Writer
	log   io.Writer
}

func run(args []string, out, log io.Writer) (err error) {
	runs := map[string]func(context.Context, *soak) (result, error){"crash": crash, "hostile": underAttack, "local": killLocal, "rotate": rotate}
	f := flag.NewFlagSet("soak", flag.ContinueOnError)
	kills := f.Int("kills", 200, "how often the process is killed, or attacked in every way")
	seed := f.Uint64("seed", uint64(time.Now().UnixNano()), "of all that is random")
	bin := f.String("hydrant", "", "the command (default: built from the source)")
	if len(args) == 0 || runs[args[0]] == nil {
		return fmt.Errorf("the form is: soak crash|hostile|local|rotate [-kills N] [-seed N] [-hydrant FILE]")
	}
	if err := f.Parse(args[1:]); err != nil {
		return err
	}
	s := &soak{kills: *kills, rng: rand.New(rand.NewPCG(*seed, 0)), bin: *bin, out: out, log: log}
	if s.dir, err = os.MkdirTemp("", "hydrant-soak-"); err != nil {
		return err
	}
	if s.bin == "" {
		s.bin = filepath.Join(s.dir, "hydrant")
		if text, err := exec.Command("go", "build", "-o", s.bin, "github.com/hydrant-go/hydrant/cmd/hydrant").CombinedOutput(); err != nil {
			return fmt.Errorf("build hydrant: %w\n%s", err, text)
		}
	}
	res, err := runs[args[0]](context.Background(), s)
	if err != nil {
		return fmt.Errorf("seed %d: %w\nhint: its files are in %s", *seed, err, s.dir)
	}
	line, err := json.Marshal(res)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s\n", line)
	if wrong := res.wrong(); wrong != "" {
		return fmt.Errorf("seed %d: %s\nhint: its files are in %s", *seed, wrong, s.dir)
	}
	return os.RemoveAll(s.dir)
}

// result is the last line of a run.
type result interface {
	wrong() string // empty if nothing is
}

// between returns a random time.
func (s *soak) between(least, most time.Duration) time.Duration {
	return least + time.Duration(s.rng.Int64N(int64(most-least)+1))
}

func (s *soak) chance(share float64) bool { return s.rng.Float64() < share }

func (s *soak) path(elem ...string) string {
	return filepath.Join(append([]string{s.dir}, elem...)...)
}
