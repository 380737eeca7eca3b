package hydrant

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
)

// LineWriter makes a producer an io.Writer: each line that is written becomes a
// record. A line may come in several writes; Close puts a last one that has no
// end. It is safe for many goroutines, whose writes should be whole lines then.
type LineWriter struct {
	p   *Producer
	ctx context.Context

	mu   sync.Mutex // guards part; held while a line is put, so that lines stay in order
	part []byte     // a line that has no end yet
}

// LineWriter returns a writer that puts lines. Writes wait while the buffer is
// full, until ctx ends.
func (p *Producer) LineWriter(ctx context.Context) *LineWriter { return &LineWriter{p: p, ctx: ctx} }

// Write puts the lines of b. It returns how much of b is in good hands: the
// lines put, and the part that waits for its end.
func (w *LineWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for {
		end := bytes.IndexByte(b[n:], '\n') + 1
		if end == 0 {
			w.part = append(w.part, b[n:]...)
			return len(b), nil
		}
		line := b[n : n+end]
		if len(w.part) > 0 {
			line = append(w.part, line...)
		}
		if err := w.p.Put(w.ctx, line); err != nil {
			return n, err
		}
		w.part = w.part[:0]
		n += end
	}
}

// Close puts what is left of a line. It does not close the producer.
func (w *LineWriter) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.part) == 0 {
		return nil
	}
	err := w.p.Put(w.ctx, w.part)
	if err == nil {
		w.part = nil
	}
	return err
}

// LogHandler returns a handler for log/slog that puts each log entry as a line of
// JSON, as slog.JSONHandler writes it. Logging waits while the buffer is full;
// after Close it returns ErrClosed, which slog passes over. The producer must log
// elsewhere (Config.Logger), or its failures make new entries.
func (p *Producer) LogHandler(opts *slog.HandlerOptions) slog.Handler {
	return slog.NewJSONHandler(entryWriter{p}, opts)
}

// entryWriter puts each write as a record. slog.JSONHandler writes an entry at
// once.
type entryWriter struct{ p *Producer }

func (w entryWriter) Write(b []byte) (int, error) {
	if err := w.p.Put(context.Background(), b); err != nil {
		return 0, err
	}
	return len(b), nil
}
