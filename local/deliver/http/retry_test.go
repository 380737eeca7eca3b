package httpendpoint

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hydrant-go/hydrant/internal/memnet"
)

// bubble is an endpoint and its receiver on a network in memory, in a synctest
// bubble: time is virtual there.
func bubble(t *testing.T, cfg Config, rc *receiver, test func(t *testing.T, e *Endpoint)) {
	synctest.Test(t, func(t *testing.T) {
		l := memnet.Listen()
		srv := &http.Server{Handler: rc}
		done := make(chan struct{})
		go func() { _ = srv.Serve(l); close(done) }()
		cfg.URL = "http://memory"
		e := open(t, cfg)
		e.transport.DialContext = l.DialContext
		test(t, e)
		e.Close()
		_ = srv.Close()
		<-done
	})
}

// waits are the times between the requests.
func waits(requests []received) (list []time.Duration) {
	for i := range requests[1:] {
		list = append(list, requests[i+1].at.Sub(requests[i].at))
	}
	return list
}

// TestAttempted: each attempt is told when it is over, not when there is no more hope.
func TestAttempted(t *testing.T) {
	var told []string
	rc := &receiver{answer: func(n int, w http.ResponseWriter, r *http.Request, id string) {
		if len(told) != n-1 {
			t.Errorf("at request %d %q was told", n, told)
		}
		if n < 3 {
			respond(w, 500, "")
			return
		}
		acknowledge(n, w, r, id)
	}}
	cfg := Config{RetryFor: time.Hour, Attempted: func(records [][]byte, code string) {
		told = append(told, fmt.Sprintf("%d %s", len(records), code))
	}}
	bubble(t, cfg, rc, func(t *testing.T, e *Endpoint) {
		if f := e.Deliver(t.Context(), two); f != nil {
			t.Errorf("Deliver = %+v", f)
		}
		ctx, cancel := context.WithCancel(t.Context())
		rc.answer = func(int, http.ResponseWriter, *http.Request, string) { cancel() }
		if f := e.Deliver(ctx, two); len(f) != 1 || !f[0].Cancelled {
			t.Errorf("Deliver = %+v", f)
		}
	})
	want := []string{"2 " + CodeDestination, "2 " + CodeDestination, "2 "}
	if !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}

func refuse(_ int, w http.ResponseWriter, _ *http.Request, _ string) { respond(w, 503, "") }

// TestBackoff: the waits double from 1 s to 120 s, each off by at most 15 %, and
// the request is the same every time, but for nothing.
func TestBackoff(t *testing.T) {
	rc := &receiver{answer: func(n int, w http.ResponseWriter, r *http.Request, id string) {
		if n < 12 {
			respond(w, 500, "")
			return
		}
		acknowledge(n, w, r, id)
	}}
	bubble(t, Config{RetryFor: 2 * time.Hour, Gzip: true}, rc, func(t *testing.T, e *Endpoint) {
		if f := e.Deliver(t.Context(), two); f != nil {
			t.Errorf("Deliver = %+v", f)
		}
	})
	got := waits(rc.all())
	if len(got) != 11 {
		t.Fatalf("%d waits, want 11", len(got))
	}
	exact := 0
	for i, wait := range got {
		want := min(time.Second<<i, 2*time.Minute)
		if wait < want*85/100 || wait > min(want*115/100, 2*time.Minute) {
			t.Errorf("wait %d is %v, want %v +- 15 %%, and 2m0s at most", i, wait, want)
		}
		if wait == want {
			exact++
		}
	}
	if exact > 4 { // the last four may be cut to 2 minutes
		t.Errorf("no jitter: %v", got)
	}
	for i, r := range rc.all() {
		first := rc.all()[0]
		if string(r.text) != string(first.text) || r.header.Get("X-Amz-Firehose-Request-Id") != first.body.RequestID {
			t.Errorf("attempt %d sent something else than the first", i+1)
		}
	}
}

func TestRetryFor(t *testing.T) {
	for _, retryFor := range []time.Duration{0, time.Second / 2, 10 * time.Second, 5 * time.Minute, 2 * time.Hour} {
		t.Run(fmt.Sprint(retryFor), func(t *testing.T) {
			rc := &receiver{answer: refuse}
			bubble(t, Config{RetryFor: retryFor}, rc, func(t *testing.T, e *Endpoint) {
				start := time.Now()
				failures := e.Deliver(t.Context(), two)
				if len(failures) != 1 {
					t.Fatalf("Deliver = %+v", failures)
				}
				f := failures[0]
				if took := time.Since(start); took != retryFor || f.Ended.Sub(f.Began) != retryFor {
					t.Errorf("gave up after %v, from %v to %v", took, f.Began, f.Ended)
				}
				if n := len(rc.all()); f.Attempts != n || (n > 1) != (retryFor > 0) {
					t.Errorf("%d attempts and %d requests", f.Attempts, n)
				}
			})
		})
	}
}

// TestRetryForLeavesOutWaits: the time in which an answer is waited for does not
// count, neither a slow answer's nor that of one which never comes.
func TestRetryForLeavesOutWaits(t *testing.T) {
	for name, answer := range map[string]func(int, http.ResponseWriter, *http.Request, string){
		"slow": func(_ int, w http.ResponseWriter, _ *http.Request, _ string) {
			time.Sleep(time.Minute)
			respond(w, 503, "")
		},
		"never": func(_ int, _ http.ResponseWriter, r *http.Request, _ string) { <-r.Context().Done() },
	} {
		t.Run(name, func(t *testing.T) {
			rc := &receiver{answer: answer}
			bubble(t, Config{RetryFor: 5 * time.Second}, rc, func(t *testing.T, e *Endpoint) {
				start := time.Now()
				failures := e.Deliver(t.Context(), two)
				// 1 s, 2 s and what is left of 5.
				wait, code := time.Minute, CodeDestination
				if name == "never" {
					wait, code = DefaultTimeout, CodeRequestTimeout
				}
				if took := time.Since(start); len(failures) != 1 || failures[0].Attempts != 4 || took != 4*wait+5*time.Second {
					t.Errorf("after %v: %+v", took, failures)
				}
				if failures[0].Code != code {
					t.Errorf("code %s, want %s", failures[0].Code, code)
				}
			})
		})
	}
}

// TestTimeout: an attempt ends after its timeout, wherever the answer hangs.
func TestTimeout(t *testing.T) {
	for name, tt := range map[string]struct {
		timeout, want time.Duration
	}{"default": {0, 3 * time.Minute}, "own": {time.Second, time.Second}} {
		rc := &receiver{answer: func(_ int, w http.ResponseWriter, r *http.Request, _ string) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("{"))
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}}
		bubble(t, Config{Timeout: tt.timeout}, rc, func(t *testing.T, e *Endpoint) {
			start := time.Now()
			failures := e.Deliver(t.Context(), two)
			if took := time.Since(start); took != tt.want || len(failures) != 1 || failures[0].Code != CodeRequestTimeout {
				t.Errorf("%s: after %v: %+v", name, took, failures)
			}
		})
	}
}

// TestNoAnswerToConnect: a connection that is not accepted is no timeout of the
// answer.
func TestNoAnswerToConnect(t *testing.T) {
	bubble(t, Config{}, &receiver{answer: acknowledge}, func(t *testing.T, e *Endpoint) {
		nobody := memnet.Listen()
		e.transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, connectTimeout)
			defer cancel()
			return nobody.DialContext(ctx, network, address)
		}
		start := time.Now()
		failures := e.Deliver(t.Context(), two)
		if took := time.Since(start); took != connectTimeout || len(failures) != 1 || failures[0].Code != CodeConnectionFailed {
			t.Errorf("after %v: %+v", took, failures)
		}
	})
}

// TestSharedTime: an endpoint that is down holds up three requests no longer than
// one, each is tried, and an acknowledgement begins the time anew.
func TestSharedTime(t *testing.T) {
	down := true
	rc := &receiver{}
	rc.answer = func(n int, w http.ResponseWriter, r *http.Request, id string) {
		if down {
			respond(w, 503, "")
			return
		}
		acknowledge(n, w, r, id)
	}
	bubble(t, Config{RetryFor: time.Minute}, rc, func(t *testing.T, e *Endpoint) {
		start := time.Now()
		failures := e.Deliver(t.Context(), make([][]byte, 25_000))
		if took := time.Since(start); took != time.Minute || len(failures) != 3 {
			t.Fatalf("after %v: %+v", took, failures)
		}
		for i, f := range failures {
			if (f.Attempts > 1) != (i == 0) || f.From != i*10_000 || f.To != min(25_000, f.From+10_000) {
				t.Errorf("failure %d: %+v", i, f)
			}
		}
	})
	rc = &receiver{answer: func(n int, w http.ResponseWriter, r *http.Request, id string) {
		if slices.Contains([]int{1, 2, 3, 4, 6, 7, 8}, n) { // 12 s of waits, then 7
			respond(w, 503, "")
			return
		}
		acknowledge(n, w, r, id)
	}}
	bubble(t, Config{RetryFor: 12 * time.Second}, rc, func(t *testing.T, e *Endpoint) {
		if f := e.Deliver(t.Context(), make([][]byte, 20_000)); f != nil {
			t.Errorf("Deliver = %+v", f)
		}
	})
}

// TestCancelWhileWaiting: the end of the context ends a wait, and what is left is
// told from what has failed.
func TestCancelWhileWaiting(t *testing.T) {
	rc := &receiver{answer: func(n int, w http.ResponseWriter, r *http.Request, id string) {
		switch n {
		case 1:
			acknowledge(n, w, r, id)
		case 2:
			respond(w, 413, "")
		default:
			respond(w, 503, "")
		}
	}}
	bubble(t, Config{RetryFor: time.Hour}, rc, func(t *testing.T, e *Endpoint) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start := time.Now()
		failures := e.Deliver(ctx, make([][]byte, 45_000))
		if took := time.Since(start); took != 10*time.Second || len(failures) != 2 {
			t.Fatalf("after %v: %+v", took, failures)
		}
		if f := failures[0]; f.Cancelled || !f.Permanent || f.From != 10_000 || f.To != 20_000 {
			t.Errorf("%+v", f)
		}
		if f := failures[1]; !f.Cancelled || f.Permanent || f.From != 20_000 || f.To != 45_000 || f.Code != CodeDestination || f.Attempts != 4 {
			t.Errorf("%+v", f)
		}
		requests := len(rc.all())
		if f := e.Deliver(ctx, two); len(f) != 1 || !f[0].Cancelled || f[0].To != 2 || f[0].Attempts != 0 || len(rc.all()) != requests {
			t.Errorf("after the end of the context: %+v", f)
		}
	})
}
