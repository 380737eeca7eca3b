package cwlog_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/slogtest"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/cwlog"
	"github.com/hydrant-go/hydrant/hydranttest"
	"github.com/hydrant-go/hydrant/internal/testkit"
)

const group, stream = "/app/test", "host-1"

// site is CloudWatch Logs on a network in memory, with scripted failures before it.
type site struct {
	t        *testing.T
	client   *cloudwatchlogs.Client
	fallback testkit.Buffer

	retrieved atomic.Int64 // how often credentials were got

	mu      sync.Mutex // guards the fields below
	calls   []string   // the operations, in order
	at      []time.Time
	fail    func(n int, op string) *failure // of the n-th call, from 0; nil is none
	service aws.HTTPClient
}

// failure answers in place of the service. With status 0 there is no answer.
type failure struct {
	status     int
	code, body string
	wait       time.Duration // before the call reaches the service, if there is no status
}

func (s *site) Do(r *http.Request) (*http.Response, error) {
	_, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	s.mu.Lock()
	n := len(s.calls)
	s.calls, s.at = append(s.calls, op), append(s.at, time.Now())
	var f *failure
	if s.fail != nil {
		f = s.fail(n, op)
	}
	s.mu.Unlock()
	switch {
	case f == nil:
		return s.service.Do(r)
	case f.wait > 0:
		select {
		case <-time.After(f.wait):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
		return s.service.Do(r)
	case f.status == 0:
		return nil, io.ErrUnexpectedEOF
	}
	if f.body == "" {
		f.body = fmt.Sprintf(`{"__type":%q,"message":"scripted"}`, f.code)
	}
	return &http.Response{StatusCode: f.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(f.body))}, nil
}

func (s *site) setFail(f func(n int, op string) *failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = f
}

// createGroup makes the group, past the script.
func (s *site) createGroup() {
	s.t.Helper()
	o := s.client.Options()
	o.HTTPClient = s.service
	if _, err := cloudwatchlogs.New(o).CreateLogGroup(context.Background(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String(group)}); err != nil {
		s.t.Error(err)
	}
}

func (s *site) called() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// start starts a handler in a bubble, which is closed at the end unless the test has
// done so.
func start(t *testing.T, cfg cwlog.Config) (*cwlog.Handler, *site) {
	t.Helper()
	sdk := hydranttest.Start(t, hydranttest.Options{}).AWSConfig()
	s := &site{t: t, service: sdk.HTTPClient}
	sdk.HTTPClient = s
	creds := sdk.Credentials
	sdk.Credentials = aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		s.retrieved.Add(1)
		return creds.Retrieve(ctx)
	}))
	s.client = cloudwatchlogs.NewFromConfig(sdk)
	cfg.Client, cfg.Group, cfg.Stream = s.client, group, stream
	cfg.Fallback = slog.NewTextHandler(&s.fallback, &slog.HandlerOptions{Level: slog.LevelDebug})
	h, err := cwlog.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close(ended()) })
	return h, s
}

func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func (s *site) close(h *cwlog.Handler) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	if err := h.Close(ctx); err != nil {
		s.t.Errorf("Close: %v", err)
	}
}

// events are those in the stream, in the order of their times.
func (s *site) events() []types.OutputLogEvent {
	s.t.Helper()
	s.setFail(nil)
	var events []types.OutputLogEvent
	in := &cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String(group), LogStreamName: aws.String(stream), StartFromHead: aws.Bool(true)}
	for {
		out, err := s.client.GetLogEvents(context.Background(), in)
		if err != nil {
			s.t.Fatal(err)
		}
		events = append(events, out.Events...)
		if in.NextToken != nil && *in.NextToken == *out.NextForwardToken {
			return events
		}
		in.NextToken = out.NextForwardToken
	}
}

// lines are the events as objects.
func (s *site) lines() (list []map[string]any) {
	s.t.Helper()
	for _, e := range s.events() {
		var line map[string]any
		if err := json.Unmarshal([]byte(*e.Message), &line); err != nil {
			s.t.Fatalf("%v: %.200s", err, *e.Message)
		}
		list = append(list, line)
	}
	return list
}

func (s *site) messages() (list []string) {
	s.t.Helper()
	for _, line := range s.lines() {
		list = append(list, line["msg"].(string))
	}
	return list
}

func (s *site) check(what string, got, want any) {
	s.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		s.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func bubble(t *testing.T, f func(*testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

func TestSlog(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h, s := start(t, cwlog.Config{})
		err := slogtest.TestHandler(h, func() []map[string]any {
			s.close(h)
			return s.lines()
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// Derived handlers, which share the buffer, write at once, and a value that logs while
// it is formatted comes to its end.
func TestConcurrent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h, s := start(t, cwlog.Config{Options: slog.HandlerOptions{Level: slog.LevelDebug}})
		var wg sync.WaitGroup
		for i := range 20 {
			log := slog.New(h).With("worker", i).WithGroup("g")
			wg.Go(func() {
				for n := range 50 {
					log.Debug("at work", "n", n, "value", talker{log})
				}
			})
		}
		wg.Wait()
		s.close(h)
		seen := map[string]int{}
		for _, line := range s.lines() {
			g, _ := line["g"].(map[string]any)
			seen[fmt.Sprintf("%v %v %v", line["worker"], line["msg"], g["n"])]++
		}
		for i := range 20 {
			for n := range 50 {
				if key := fmt.Sprintf("%d at work %d", i, n); seen[key] != 1 {
					t.Errorf("%s: %d times", key, seen[key])
				}
			}
			if key := fmt.Sprintf("%d asked <nil>", i); seen[key] != 50 {
				t.Errorf("%s: %d times", key, seen[key])
			}
		}
		s.check("counts", h.Stats().Written, int64(2000))
	})
}

// talker is a value that logs when it is asked for.
type talker struct{ log *slog.Logger }

func (v talker) LogValue() slog.Value {
	v.log.Info("asked")
	return slog.IntValue(1)
}

func TestTimes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h, s := start(t, cwlog.Config{})
		now := time.Now()
		for _, at := range []time.Duration{3 * time.Second, time.Second, 2 * time.Second} {
			_ = h.Handle(t.Context(), slog.NewRecord(now.Add(-at), slog.LevelInfo, at.String(), 0))
		}
		_ = h.Handle(t.Context(), slog.NewRecord(time.Time{}, slog.LevelInfo, "now", 0))
		s.close(h)
		s.check("messages", s.messages(), []string{"3s", "2s", "1s", "now"})
		for i, e := range s.events() {
			want := now.Add(-time.Duration(3-i) * time.Second).UnixMilli()
			if *e.Timestamp != want {
				t.Errorf("event %d has time %d, want %d", i, *e.Timestamp, want)
			}
		}
	})
}

// An event goes out when it has waited for the interval, with those that came meanwhile;
// when there is enough for a call, at once.
func TestInterval(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h, s := start(t, cwlog.Config{Interval: 10 * time.Second})
		log := slog.New(h)
		began := time.Now()
		log.Info("a")
		time.Sleep(9 * time.Second)
		log.Info("b")
		synctest.Wait()
		s.check("calls before the interval is over", s.called(), []string(nil))
		time.Sleep(time.Second)
		synctest.Wait()
		s.check("calls at its end", s.called(), []string{"PutLogEvents", "CreateLogStream", "CreateLogGroup", "CreateLogStream", "PutLogEvents"})
		if took := s.at[0].Sub(began); took != 10*time.Second {
			t.Errorf("the first call came after %v", took)
		}
		for range 10_000 {
			log.Info("c")
		}
		synctest.Wait()
		if took := s.at[5].Sub(began); len(s.called()) != 6 || took != 10*time.Second {
			t.Errorf("%d calls, the last after %v", len(s.called()), took)
		}
		if st := h.Stats(); st.Written != 10_002 || st.Pending != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// Whatever is logged, no call breaks a limit: the service, which refuses a batch that
// does, takes them all.
func TestLimits(t *testing.T) {
	const most = 1<<20 - 26 // bytes of an event's text
	frame := len(`{"time":"2000-01-01T00:00:00Z","level":"INFO","msg":""}`)
	for _, tc := range []struct {
		name  string
		sizes []int // of lines
		calls int
	}{
		{"one of the longest", []int{most}, 1},
		{"two halves", []int{most - 26 - 1000, 1000}, 1},
		{"a byte too much", []int{most - 26 - 1000, 1001}, 2},
		{"two of the longest", []int{most, most}, 2},
		{"10,000", slices.Repeat([]int{frame}, 10_000), 1},
		{"10,001", slices.Repeat([]int{frame}, 10_001), 2},
		{"by bytes", slices.Repeat([]int{50_000}, 100), 5},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h, s := start(t, cwlog.Config{MaxBuffer: 64 << 20})
				at := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // a time of the bubble
				for _, size := range tc.sizes {
					_ = h.Handle(t.Context(), slog.NewRecord(at, slog.LevelInfo, strings.Repeat("x", size-frame), 0))
				}
				s.close(h)
				if st := h.Stats(); st.Written != int64(len(tc.sizes)) || st.Cut != 0 || st.Failures != 0 {
					t.Errorf("%+v", st)
				}
				if n := countOf(s.called(), "PutLogEvents") - 1; n != tc.calls { // the first finds no stream
					t.Errorf("%d calls, want %d", n, tc.calls)
				}
				for i, e := range s.events() {
					if len(*e.Message) != tc.sizes[i] {
						t.Errorf("event %d has %d bytes, want %d", i, len(*e.Message), tc.sizes[i])
					}
				}
			})
		})
	}
}

func countOf(list []string, what string) (n int) {
	for _, s := range list {
		if s == what {
			n++
		}
	}
	return n
}

// Events of more than a day apart go in calls of their own.
func TestSpan(t *testing.T) {
	const day = 24 * time.Hour
	for _, tc := range []struct {
		ago   []time.Duration
		calls int
	}{
		{[]time.Duration{day, 0}, 1},
		{[]time.Duration{day + time.Millisecond, 0}, 2},
		{[]time.Duration{0, 3 * day, time.Hour, 2*day - time.Hour, 3*day - time.Hour}, 3},
	} {
		bubble(t, func(t *testing.T) {
			h, s := start(t, cwlog.Config{})
			now := time.Now()
			for _, ago := range tc.ago {
				_ = h.Handle(t.Context(), slog.NewRecord(now.Add(-ago), slog.LevelInfo, "x", 0))
			}
			s.close(h)
			if st := h.Stats(); st.Written != int64(len(tc.ago)) || st.Failures != 0 || countOf(s.called(), "PutLogEvents")-1 != tc.calls {
				t.Errorf("%v: %+v, calls %v, want %d", tc.ago, st, s.called(), tc.calls)
			}
		})
	}
}

// An event that is too long is cut between two characters, and says so.
func TestCut(t *testing.T) {
	for shift := range 4 {
		bubble(t, func(t *testing.T) {
			h, s := start(t, cwlog.Config{})
			text := strings.Repeat("y", shift) + strings.Repeat("€", 400_000)
			slog.New(h).Info(text)
			s.close(h)
			e := s.events()
			if len(e) != 1 {
				t.Fatalf("%d events", len(e))
			}
			got := *e[0].Message
			if n := len(got); n > 1<<20-26 || n < 1<<20-26-3 || !strings.HasSuffix(got, fmt.Sprintf("€… [cut, it had %d bytes]", len(text)+len(`{"time":"2000-01-01T00:00:00Z","level":"INFO","msg":""}`))) {
				t.Errorf("%d bytes, the end is %q", n, got[n-50:])
			}
			if strings.ContainsRune(got, '�') {
				t.Error("a character is cut")
			}
			if st := h.Stats(); st.Cut != 1 || st.Written != 1 {
				t.Errorf("%+v", st)
			}
		})
	}
}

func TestLevel(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var level slog.LevelVar
		h, s := start(t, cwlog.Config{Options: slog.HandlerOptions{Level: &level}})
		log := slog.New(h)
		log.Debug("no")
		log.Info("yes")
		level.Set(slog.LevelDebug)
		log.With("a", 1).Debug("now yes")
		level.Set(slog.LevelError)
		log.WithGroup("g").Warn("no")
		s.close(h)
		s.check("messages", s.messages(), []string{"yes", "now yes"})
	})
	h := &cwlog.Handler{}
	if h.Enabled(t.Context(), slog.LevelDebug) || !h.Enabled(t.Context(), slog.LevelInfo) {
		t.Error("the default level is not info")
	}
}

func TestConfig(t *testing.T) {
	for _, tc := range []struct {
		change func(*cwlog.Config)
		want   string
	}{
		{func(c *cwlog.Config) { c.Client = nil }, "Client is missing"},
		{func(c *cwlog.Config) { c.Group = "" }, `Group is ""`},
		{func(c *cwlog.Config) { c.Group = "a b" }, `Group is "a b"`},
		{func(c *cwlog.Config) { c.Group = strings.Repeat("x", 513) }, "Group is"},
		{func(c *cwlog.Config) { c.Stream = strings.Repeat("é", 513) }, "Stream is"},
		{func(c *cwlog.Config) { c.Stream = "a:b" }, `Stream is "a:b"`},
		{func(c *cwlog.Config) { c.Interval = -1 }, "Interval is -1ns"},
		{func(c *cwlog.Config) { c.MaxBuffer = 1<<20 - 1 }, "MaxBuffer is 1048575"},
		{func(c *cwlog.Config) { c.MaxBuffer, c.Stream = -1, "" }, "MaxBuffer is -1"},
		{func(c *cwlog.Config) { c.Stream, c.Interval = "*", -time.Second }, `Stream is "*"`},
	} {
		cfg := cwlog.Config{Client: &cloudwatchlogs.Client{}, Group: strings.Repeat("g", 512), Stream: strings.Repeat("é", 512)}
		tc.change(&cfg)
		if _, err := cwlog.New(cfg); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("error %v, want %q", err, tc.want)
		}
	}
}
