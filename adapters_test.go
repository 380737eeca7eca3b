package hydrant_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hydrant-go/hydrant"
	"github.com/hydrant-go/hydrant/hydranttest"
)

func TestLineWriter(t *testing.T) {
	inBubble(t, hydrant.Config{}, nil, func(r *rig) {
		w := r.p.LineWriter(r.Context())
		for _, part := range []string{"one\ntwo\nth", "r", "ee\n\nfo", "", "ur"} {
			if n, err := io.WriteString(w, part); n != len(part) || err != nil {
				r.Errorf("Write(%q) = %d, %v", part, n, err)
			}
		}
		for range 2 { // the second has nothing to put
			if err := w.Close(); err != nil {
				r.Error(err)
			}
		}
		r.flush()
		r.stored("one\n", "two\n", "three\n", "\n", "four\n")
		r.close()
		if n, err := io.WriteString(w, "late\nlater\n"); n != 0 || !errors.Is(err, hydrant.ErrClosed) {
			r.Errorf("Write after Close = %d, %v", n, err)
		}
	})
}

func TestLogHandler(t *testing.T) {
	inBubble(t, hydrant.Config{}, nil, func(r *rig) {
		log := slog.New(r.p.LogHandler(&slog.HandlerOptions{Level: slog.LevelInfo})).With("app", "x")
		log.Info("started", "port", 80)
		log.Debug("not this")
		r.flush()
		got := r.fh.Records(stream)
		if len(got) != 1 || !strings.HasSuffix(string(got[0]), `"level":"INFO","msg":"started","app":"x","port":80}`+"\n") {
			r.Errorf("stored %q", got)
		}
	})
}

// byFirst routes a record to the stream that its first word names.
func byFirst(data []byte) string {
	name, _, _ := strings.Cut(string(data), " ")
	return name
}

// A stream that is down blocks only itself.
func TestRoute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fh := hydranttest.Start(t, hydranttest.Options{})
		fh.CreateStream("good")
		cfg := fh.AWSConfig()
		p, err := hydrant.New(t.Context(), hydrant.Config{
			Route: byFirst, AWS: &cfg, MaxBuffer: 1 << 20, WaitForStream: true,
			Logger: slog.New(slog.DiscardHandler), DeadLetter: &memory{},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Put(t.Context(), []byte("a/b is no name")); err == nil || !strings.Contains(err.Error(), "Config.Route") {
			t.Errorf("a bad name: %v", err)
		}
		var down sync.WaitGroup
		down.Go(func() {
			for i := range 2000 { // twice the buffer
				if err := p.Put(context.Background(), fmt.Appendf(nil, "missing %01000d", i)); err != nil {
					t.Error(err)
				}
			}
		})
		time.Sleep(time.Minute)
		start := time.Now()
		for i := range 2000 {
			if err := p.Put(t.Context(), fmt.Appendf(nil, "good %01000d", i)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(10 * time.Second)
		if n := strings.Count(string(fh.Delivered("good")), "\n"); n != 2000 {
			t.Errorf("%d records of the good stream delivered while the other is down, in %v", n, time.Since(start))
		}
		fh.CreateStream("missing")
		down.Wait()
		if err := p.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(fh.Delivered("missing")), "\n"); n != 2000 {
			t.Errorf("%d records of the stream that came back", n)
		}
	})
}

// A thousand streams that have been used once cost nothing when they are idle.
func TestThousandStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fh := hydranttest.Start(t, hydranttest.Options{})
		for i := range 1000 {
			fh.CreateStream(fmt.Sprintf("s%d", i))
		}
		cfg := fh.AWSConfig()
		p, err := hydrant.New(t.Context(), hydrant.Config{
			Route: byFirst, AWS: &cfg, Packing: hydrant.PackOff,
			Logger: slog.New(slog.DiscardHandler), DeadLetter: &memory{},
		})
		if err != nil {
			t.Fatal(err)
		}
		before := runtime.NumGoroutine()
		for i := range 3000 {
			if err := p.Put(t.Context(), fmt.Appendf(nil, "s%d hello", i%1000)); err != nil {
				t.Fatal(err)
			}
		}
		if n := runtime.NumGoroutine() - before; n > 10 {
			t.Errorf("%d goroutines more for a thousand streams that wait", n)
		}
		if err := p.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i := range 1000 {
			if n := len(fh.Records(fmt.Sprintf("s%d", i))); n != 3 {
				t.Fatalf("stream %d has %d records", i, n)
			}
		}
		time.Sleep(11 * time.Minute)
		if n := hydrant.Streams(p); n != 0 {
			t.Errorf("%d streams are held after ten idle minutes", n)
		}
		if err := p.Put(t.Context(), []byte("s7 again")); err != nil {
			t.Fatal(err)
		}
		if err := p.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(fh.Records("s7")); n != 4 {
			t.Errorf("stream 7 has %d records after its pause, want 4", n)
		}
	})
}

// New fails on a stream that is not there, or waits for it.
func TestMissingStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fh := hydranttest.Start(t, hydranttest.Options{})
		cfg := fh.AWSConfig()
		_, err := hydrant.New(t.Context(), hydrant.Config{Stream: "later", AWS: &cfg})
		if err == nil || !strings.Contains(err.Error(), "delivery stream later does not exist in region us-east-1") {
			t.Fatalf("New: %v", err)
		}
		start := time.Now()
		time.AfterFunc(time.Minute, func() { fh.CreateStream("later") })
		p, err := hydrant.New(t.Context(), hydrant.Config{Stream: "later", AWS: &cfg, WaitForStream: true, Logger: slog.New(slog.DiscardHandler)})
		if err != nil || time.Since(start) < time.Minute || time.Since(start) > 75*time.Second {
			t.Fatalf("New after %v: %v", time.Since(start), err)
		}
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err = hydrant.New(ctx, hydrant.Config{Stream: "never", AWS: &cfg, WaitForStream: true, Logger: slog.New(slog.DiscardHandler)})
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "never") {
			t.Errorf("New: %v", err)
		}
	})
}
