package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hydrant-go/hydrant"
	"github.com/hydrant-go/hydrant/internal/ui"
)

// watch is what lets an operator look at a run: by HTTP at addr, if that is set,
// and by signals.
type watch struct {
	addr   string
	stream string
	stats  func() hydrant.Stats
	files  func() []fileState // of tail, or nil
	reload func()             // at a SIGHUP

	mu       sync.Mutex // guards the fields below
	settled  int64      // records that had met their fate when last looked at
	progress time.Time  // when that had changed, or nothing was pending
}

// fileState is what is shown of a file that tail follows.
type fileState struct {
	Path    string `json:"path"`
	Size    int64  `json:"size"`
	Read    int64  `json:"read"`    // offset
	Settled int64  `json:"settled"` // offset; what is before it is delivered, or safe
}

// stalledAfter is how long records may wait with none delivered before the run
// counts as not ready.
const stalledAfter = time.Minute

// watch starts to look after signals and HTTP requests. What it returns ends it.
func (a *app) watch(ctx context.Context, w *watch) (stop func(), err error) {
	w.progress = time.Now()
	ends := []func(){a.onSignals(w)}
	if w.addr != "" {
		end, err := a.serveWatch(ctx, w)
		if err != nil {
			ends[0]()
			return nil, err
		}
		ends = append(ends, end)
	}
	return func() {
		for _, end := range ends {
			end()
		}
	}, nil
}

// onSignals prints the state at SIGUSR1, and reloads at SIGHUP.
func (a *app) onSignals(w *watch) (end func()) {
	signals, done := make(chan os.Signal, 1), make(chan struct{})
	notifyState(signals)
	go func() {
		defer close(done)
		for s := range signals {
			if isReload(s) {
				w.reload()
				a.log.Info("reloaded")
				continue
			}
			line, err := json.Marshal(w.state())
			if err != nil {
				a.log.Error("state", slog.Any("error", err))
				continue
			}
			a.tell("%s", line)
		}
	}()
	return func() {
		signal.Stop(signals)
		close(signals)
		<-done
	}
}

// state is what SIGUSR1 prints.
func (w *watch) state() map[string]any {
	state := map[string]any{"time": time.Now().UTC(), "stream": w.stream, "stats": w.stats()}
	if w.files != nil {
		state["files"] = w.files()
	}
	return state
}

func (a *app) serveWatch(ctx context.Context, w *watch) (end func(), err error) {
	listener, err := net.Listen("tcp", w.addr)
	if err != nil {
		return nil, fmt.Errorf("--metrics-addr: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(rw http.ResponseWriter, _ *http.Request) {
		w.stats() // a producer that hangs gives no answer
		fmt.Fprintln(rw, "ok")
	})
	mux.HandleFunc("GET /readyz", func(rw http.ResponseWriter, _ *http.Request) {
		if why := w.notReady(ctx, time.Now()); why != "" {
			http.Error(rw, why, http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(rw, "ok")
	})
	mux.HandleFunc("GET /metrics", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = rw.Write(w.metrics())
	})
	srv := &http.Server{Handler: mux, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second}
	go func() { _ = srv.Serve(listener) }() // ends by Close
	a.tell("metrics and health on http://%s/metrics, /healthz and /readyz", listener.Addr())
	return func() { _ = srv.Close() }, nil
}

// notReady tells why no more records should be expected to get through; empty if
// they do.
func (w *watch) notReady(ctx context.Context, now time.Time) string {
	st := w.stats()
	w.mu.Lock()
	defer w.mu.Unlock()
	if settled := st.Accepted - st.Pending; settled != w.settled || st.Pending == 0 {
		w.settled, w.progress = settled, now
	}
	switch {
	case ctx.Err() != nil:
		return fmt.Sprintf("ending: %d records pending", st.Pending)
	case now.Sub(w.progress) > stalledAfter:
		return fmt.Sprintf("no record delivered for %s, %d pending: %s", ui.Duration(now.Sub(w.progress)), st.Pending, st.LastFailure)
	}
	return ""
}

// metrics is the state in Prometheus' text format.
func (w *watch) metrics() []byte {
	st := w.stats()
	p := promText{labels: []string{"stream", w.stream}}
	for _, m := range st.Metrics() {
		p.single(m)
	}
	p.family("hydrant_records_refused_total", "counter", "Records that an answer refused one by one, each time, by error code.")
	for code, n := range st.RefusedByCode {
		p.sample("hydrant_records_refused_total", float64(n), "code", code)
	}
	p.latency(&st.Latency)
	if w.files != nil {
		p.files(w.files())
	}
	return p.buf.Bytes()
}

// promText writes Prometheus' text format, version 0.0.4.
type promText struct {
	buf    bytes.Buffer
	labels []string // of every sample: names and values in turn
}

func (p *promText) family(name, kind, help string) {
	fmt.Fprintf(&p.buf, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

func (p *promText) sample(name string, v float64, labels ...string) {
	var pairs []string
	for all := append(p.labels[:len(p.labels):len(p.labels)], labels...); len(all) > 0; all = all[2:] {
		pairs = append(pairs, all[0]+`="`+labelEscape.Replace(all[1])+`"`)
	}
	fmt.Fprintf(&p.buf, "%s{%s} %s\n", name, strings.Join(pairs, ","), strconv.FormatFloat(v, 'g', -1, 64))
}

var labelEscape = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// single writes a metric by the name that OpenTelemetry's exporter would give it.
func (p *promText) single(m hydrant.Metric) {
	name, kind := strings.ReplaceAll(m.Name, ".", "_"), "gauge"
	if !m.Gauge {
		name, kind = name+"_total", "counter"
	}
	p.family(name, kind, m.Help)
	p.sample(name, m.Value)
}

func (p *promText) latency(h *hydrant.Histogram) {
	const name = "hydrant_put_latency_seconds"
	p.family(name, "histogram", "Time from Put to the answer of the delivered records.")
	sum := int64(0)
	for i, n := range h.Counts {
		sum += n
		bound := "+Inf"
		if i < len(h.Counts)-1 {
			bound = strconv.FormatFloat(hydrant.LatencyBound(i).Seconds(), 'g', -1, 64)
		}
		p.sample(name+"_bucket", float64(sum), "le", bound)
	}
	p.sample(name+"_sum", h.Sum.Seconds())
	p.sample(name+"_count", float64(sum))
}

func (p *promText) files(files []fileState) {
	for _, g := range []struct {
		name, help string
		value      func(fileState) int64
	}{
		{"hydrant_file_size_bytes", "Size of a followed file.", func(f fileState) int64 { return f.Size }},
		{"hydrant_file_lag_bytes", "Bytes of a followed file that are not read yet.", func(f fileState) int64 { return max(0, f.Size-f.Read) }},
		{"hydrant_file_unsettled_bytes", "Bytes of a followed file that are read and not delivered, or safe, yet.", func(f fileState) int64 { return f.Read - f.Settled }},
	} {
		p.family(g.name, "gauge", g.help)
		for _, f := range files {
			p.sample(g.name, float64(g.value(f)), "path", f.Path)
		}
	}
}
