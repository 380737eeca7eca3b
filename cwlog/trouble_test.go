package cwlog_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"github.com/hydrant-go/hydrant/cwlog"
)

// forCalls gives the first n calls of an operation the same failure.
func forCalls(n int, op string, f failure) func(int, string) *failure {
	return func(_ int, called string) *failure {
		if called != op || n == 0 {
			return nil
		}
		n--
		return &f
	}
}

// What passes is tried again, with waits that grow and differ, until the events are
// written, each once and in order.
func TestRetry(t *testing.T) {
	for name, f := range map[string]failure{
		"throttled":   {status: 400, code: "ThrottlingException"},
		"unavailable": {status: 503, code: "ServiceUnavailableException"},
		"failure":     {status: 500, body: "<html>"},
		"expired":     {status: 400, code: "ExpiredTokenException"},
		"no answer":   {},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h, s := start(t, cwlog.Config{})
				s.setFail(forCalls(8, "PutLogEvents", f))
				log := slog.New(h)
				for i := range 30 {
					log.Info(fmt.Sprint(i))
					time.Sleep(time.Second)
				}
				s.close(h)
				for i, m := range s.messages() {
					if m != fmt.Sprint(i) {
						t.Fatalf("event %d is %s", i, m)
					}
				}
				if st := h.Stats(); st.Written != 30 || st.Failures != 8 || st.LastFailure != "" {
					t.Errorf("%+v", st)
				}
				told := s.fallback.String()
				if strings.Count(told, "level=WARN") != 1 || strings.Count(told, "level=INFO") != 1 || strings.Contains(told, "level=ERROR") {
					t.Errorf("told:\n%s", told)
				}
				if gap := s.at[1].Sub(s.at[0]); gap < 10*time.Millisecond || gap > 100*time.Millisecond {
					t.Errorf("the first wait is %v", gap)
				}
			})
		})
	}
}

// A full buffer drops and never waits. How many is told on the fallback at once, and by
// an event when there is room again.
func TestDropped(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h, s := start(t, cwlog.Config{MaxBuffer: 1 << 20})
		s.setFail(func(int, string) *failure { return &failure{status: 503} })
		log := slog.New(h)
		began := time.Now()
		const each, all = 10_000, 200
		for range all {
			log.Info(strings.Repeat("x", each))
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("logging took %v", took)
		}
		kept := int64(1<<20) / (each + 26 + int64(len(`{"time":"2000-01-01T00:00:00Z","level":"INFO","msg":""}`)))
		if st := h.Stats(); st.Pending != kept || st.Dropped != all-kept {
			t.Errorf("%+v, want %d pending", st, kept)
		}
		time.Sleep(time.Minute)
		told := fmt.Sprintf("dropped=%d", all-kept)
		if got := s.fallback.String(); strings.Count(got, "are dropped") != 1 || !strings.Contains(got, told) {
			t.Errorf("while it lasts the fallback has\n%s", got)
		}
		log.Info(strings.Repeat("x", each))
		s.setFail(nil)
		time.Sleep(time.Minute)
		log.Info("after")
		s.close(h)
		lines := s.lines()
		if len(lines) != int(kept)+2 {
			t.Fatalf("%d events, want %d and two more", len(lines), kept)
		}
		notice := lines[kept]
		if notice["level"] != "ERROR" || !strings.Contains(notice["msg"].(string), "dropped") || notice["dropped"] != float64(all-kept+1) {
			t.Errorf("the event that tells is %v", notice)
		}
		if lines[kept+1]["msg"] != "after" {
			t.Errorf("the last is %v", lines[kept+1])
		}
		if got := s.fallback.String(); strings.Count(got, "are dropped") != 2 || !strings.Contains(got, "dropped=1\n") {
			t.Errorf("at the end the fallback has\n%s", got)
		}
		if st := h.Stats(); st.Written != kept+2 || st.Dropped != all-kept+1 || st.Own != 1 || st.Pending != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// What is refused for good is told once, and all that comes later is counted.
func TestRefused(t *testing.T) {
	for _, tc := range []struct {
		op, code string
		cfg      cwlog.Config
	}{
		{"PutLogEvents", "AccessDeniedException", cwlog.Config{}},
		{"PutLogEvents", "UnrecognizedClientException", cwlog.Config{}},
		{"CreateLogStream", "AccessDeniedException", cwlog.Config{}},
		{"CreateLogGroup", "AccessDeniedException", cwlog.Config{}},
		{"", "ResourceNotFoundException", cwlog.Config{NoCreate: true}},
	} {
		t.Run(tc.op+" "+tc.code, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h, s := start(t, tc.cfg)
				s.setFail(func(_ int, op string) *failure {
					if op == tc.op {
						return &failure{status: 400, code: tc.code}
					}
					return nil
				})
				log := slog.New(h)
				log.Info("a")
				log.Info("b")
				time.Sleep(time.Minute)
				calls := len(s.called())
				log.Info("c")
				time.Sleep(time.Minute)
				if n := len(s.called()); n != calls {
					t.Errorf("%d more calls", n-calls)
				}
				told := s.fallback.String()
				if strings.Count(told, "\n") != 1 || !strings.Contains(told, "level=ERROR") || !strings.Contains(told, tc.code) || !strings.Contains(told, "dropped=2") || !strings.Contains(told, "log_group="+group) {
					t.Errorf("told:\n%s", told)
				}
				if st := h.Stats(); st.Dropped != 3 || st.Written+st.Rejected+st.Pending != 0 || !strings.Contains(st.LastFailure, tc.code) {
					t.Errorf("%+v", st)
				}
				for range 2 {
					if err := h.Close(t.Context()); err == nil || !strings.Contains(err.Error(), tc.code) {
						t.Errorf("Close: %v", err)
					}
				}
			})
		})
	}
}

// A batch that the service finds fault with is lost, and the next one goes.
func TestBadBatch(t *testing.T) {
	for code, attempts := range map[string]int{"InvalidParameterException": 1, "NobodyKnowsException": 5} {
		bubble(t, func(t *testing.T) {
			h, s := start(t, cwlog.Config{})
			s.setFail(forCalls(attempts, "PutLogEvents", failure{status: 400, code: code}))
			log := slog.New(h)
			log.Info("a")
			log.Info("b")
			time.Sleep(time.Minute)
			log.Info("c")
			s.close(h)
			s.check("messages", s.messages(), []string{"c"})
			if st := h.Stats(); st.Written != 1 || st.Rejected != 2 || st.Failures != int64(attempts) {
				t.Errorf("%s: %+v", code, st)
			}
			if told := s.fallback.String(); strings.Count(told, "level=ERROR") != 1 || !strings.Contains(told, "lost=2") {
				t.Errorf("told:\n%s", told)
			}
		})
	}
}

// Events that are too old or too new are counted and told, and take none of the others
// with them.
func TestRejected(t *testing.T) {
	const day = 24 * time.Hour
	for _, tc := range []struct {
		ago       []time.Duration
		retention int32
		rejected  int64
	}{
		{[]time.Duration{15 * day, 14*day + time.Minute, 14*day - time.Minute}, 0, 2},
		{[]time.Duration{0, -2*time.Hour + time.Minute, -2*time.Hour - time.Minute, -5 * time.Hour}, 0, 2},
		{[]time.Duration{4 * day, 3*day + time.Minute, 3*day - time.Minute, 0}, 3, 2},
		{[]time.Duration{-5 * time.Hour}, 0, 1},
		{[]time.Duration{30 * day}, 3, 1},
		{[]time.Duration{300_000 * time.Hour * 8}, 0, 1}, // before 1970, which would spoil a batch
	} {
		bubble(t, func(t *testing.T) {
			h, s := start(t, cwlog.Config{})
			_, err := s.client.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String(group)})
			if err != nil {
				t.Fatal(err)
			}
			if tc.retention > 0 {
				if _, err := s.client.PutRetentionPolicy(t.Context(), &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: aws.String(group), RetentionInDays: &tc.retention}); err != nil {
					t.Fatal(err)
				}
			}
			for _, ago := range tc.ago {
				_ = h.Handle(t.Context(), slog.NewRecord(time.Now().Add(-ago), slog.LevelInfo, "x", 0))
			}
			s.close(h)
			if st := h.Stats(); st.Rejected != tc.rejected || st.Written != int64(len(tc.ago))-tc.rejected || st.Failures != 0 {
				t.Errorf("%v: %+v", tc.ago, st)
			}
			if n := len(s.events()); n != len(tc.ago)-int(tc.rejected) {
				t.Errorf("%v: %d events", tc.ago, n)
			}
			if told := s.fallback.String(); !strings.Contains(told, "level=ERROR") || !strings.Contains(told, "rejected") {
				t.Errorf("%v: told\n%s", tc.ago, told)
			}
		})
	}
}

// Group and stream are made when they are missing, also when they vanish, or when
// another process is faster.
func TestCreate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h, s := start(t, cwlog.Config{})
		log := slog.New(h)
		exists := failure{status: 400, code: "ResourceAlreadyExistsException"}
		s.setFail(func(n int, op string) *failure {
			if op == "CreateLogGroup" { // another one makes it in this moment
				s.createGroup()
				return &exists
			}
			return nil
		})
		log.Info("a")
		time.Sleep(time.Minute)
		s.setFail(nil)
		if _, err := s.client.DeleteLogGroup(t.Context(), &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: aws.String(group)}); err != nil {
			t.Fatal(err)
		}
		log.Info("b")
		time.Sleep(time.Minute)
		s.setFail(forCalls(1, "CreateLogStream", failure{status: 400, code: "OperationAbortedException"}))
		if _, err := s.client.DeleteLogStream(t.Context(), &cloudwatchlogs.DeleteLogStreamInput{LogGroupName: aws.String(group), LogStreamName: aws.String(stream)}); err != nil {
			t.Fatal(err)
		}
		log.Info("c")
		time.Sleep(time.Minute)
		// A group that is made is not seen everywhere at once.
		s.setFail(forCalls(4, "PutLogEvents", failure{status: 400, code: "ResourceNotFoundException"}))
		log.Info("d")
		s.close(h)
		s.check("messages", s.messages(), []string{"c", "d"})
		if st := h.Stats(); st.Written != 4 || st.Failures != 3 {
			t.Errorf("%+v", st)
		}
	})
}

// Close waits no longer than its context, breaks the call under way off, and tells what
// is lost.
func TestCloseInTime(t *testing.T) {
	for name, f := range map[string]failure{"hangs": {wait: time.Hour}, "fails": {status: 503}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h, s := start(t, cwlog.Config{})
				s.setFail(func(int, string) *failure { return &f })
				slog.New(h).Info("a")
				slog.New(h).Info("b")
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				began := time.Now()
				for range 2 {
					err := h.Close(ctx)
					if err == nil || !strings.Contains(err.Error(), "2 log events were not written to "+group) {
						t.Errorf("Close: %v", err)
					}
				}
				if took := time.Since(began); took != 5*time.Second {
					t.Errorf("Close took %v", took)
				}
				slog.New(h).Info("late")
				if st := h.Stats(); st.Dropped != 3 || st.Pending != 0 {
					t.Errorf("%+v", st)
				}
				if told := s.fallback.String(); !strings.Contains(told, "lost=2") {
					t.Errorf("told:\n%s", told)
				}
			})
		})
	}
}

// A call that hangs is given up after half a minute, and made again.
func TestCallTimeout(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h, s := start(t, cwlog.Config{})
		s.setFail(forCalls(1, "PutLogEvents", failure{wait: time.Hour}))
		slog.New(h).Info("a")
		time.Sleep(time.Minute)
		synctest.Wait()
		s.check("messages", s.messages(), []string{"a"})
		s.close(h)
	})
}

// Credentials that have expired are not used again.
func TestRenew(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h, s := start(t, cwlog.Config{})
		s.setFail(forCalls(1, "PutLogEvents", failure{status: 400, code: "ExpiredTokenException"}))
		slog.New(h).Info("a")
		s.close(h)
		s.check("messages", s.messages(), []string{"a"})
		if n := s.retrieved.Load(); n != 2 {
			t.Errorf("credentials were got %d times, want 2", n)
		}
	})
}

// A client that logs its own calls into the handler does not make it call for ever.
func TestNoLoop(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h, s := start(t, cwlog.Config{})
		log := slog.New(h)
		service := s.service
		s.service = clientFunc(func(r *http.Request) (*http.Response, error) {
			log.InfoContext(r.Context(), "a call")
			return service.Do(r)
		})
		log.Info("a")
		time.Sleep(time.Hour)
		s.close(h)
		s.check("messages", s.messages(), []string{"a"})
	})
}

type clientFunc func(*http.Request) (*http.Response, error)

func (f clientFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }
