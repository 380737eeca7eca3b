package source

import (
	"bufio"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const benchLines = 2_000_000

func benchFile(b *testing.B) string {
	path := filepath.Join(b.TempDir(), "app.log")
	must(b, os.WriteFile(path, []byte(strings.Repeat(strings.Repeat("x", 99)+"\n", benchLines)), 0o600))
	return path
}

// Lines of 100 bytes from one file, all done burst by burst.
func BenchmarkFollow(b *testing.B) {
	path := benchFile(b)
	b.ReportAllocs()
	for b.Loop() {
		f, err := Follow(FollowConfig{Paths: []string{path}, Logger: slog.New(slog.DiscardHandler)})
		must(b, err)
		var marks []Mark
		for n := 0; n < benchLines; {
			out, err := f.Next(b.Context())
			must(b, err)
			marks = marks[:0]
			for _, r := range out {
				marks = append(marks, r.Mark)
			}
			f.Done(marks...)
			n += len(out)
		}
		must(b, f.Close())
	}
	b.SetBytes(100 * benchLines)
	b.ReportMetric(float64(b.N)*benchLines/b.Elapsed().Seconds(), "records/s")
}

// The same file by what the standard library has.
func BenchmarkFollowScanner(b *testing.B) {
	path := benchFile(b)
	b.ReportAllocs()
	for b.Loop() {
		file, err := os.Open(path)
		must(b, err)
		n := 0
		for s := bufio.NewScanner(file); s.Scan(); {
			n += len(s.Bytes()) + 1
		}
		if n != 100*benchLines {
			b.Fatal(n)
		}
		must(b, file.Close())
	}
	b.SetBytes(100 * benchLines)
	b.ReportMetric(float64(b.N)*benchLines/b.Elapsed().Seconds(), "records/s")
}
