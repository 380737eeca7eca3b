package admin_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/admin"
	"github.com/hydrant-go/hydrant/hydranttest"
)

// errorLog is the log stream d in the group g of a local CloudWatch Logs, read in pages
// of so many events.
type errorLog struct {
	*cloudwatchlogs.Client
	t     *testing.T
	page  int32
	calls int
	delay time.Duration // of an answer
}

func newErrorLog(t *testing.T) *errorLog {
	t.Helper()
	l := &errorLog{Client: cloudwatchlogs.NewFromConfig(hydranttest.Start(t, hydranttest.Options{}).AWSConfig()), t: t, page: 10_000}
	if _, err := l.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("g")}); err != nil {
		t.Fatal(err)
	}
	if _, err := l.CreateLogStream(t.Context(), &cloudwatchlogs.CreateLogStreamInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("d")}); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *errorLog) FilterLogEvents(ctx context.Context, in *cloudwatchlogs.FilterLogEventsInput, o ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.FilterLogEventsOutput, error) {
	l.calls++
	in.Limit = &l.page
	defer time.Sleep(l.delay)
	return l.Client.FilterLogEvents(ctx, in, o...)
}

// log puts messages with the time that they say to be from, as Firehose does a while
// later.
func (l *errorLog) log(at time.Time, messages ...string) {
	l.t.Helper()
	in := &cloudwatchlogs.PutLogEventsInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("d")}
	for _, m := range messages {
		in.LogEvents = append(in.LogEvents, types.InputLogEvent{Timestamp: aws.Int64(at.UnixMilli()), Message: &m})
	}
	if _, err := l.PutLogEvents(l.t.Context(), in); err != nil {
		l.t.Fatal(err)
	}
}

func messages(t *testing.T, seq iter.Seq2[admin.LogEvent, error]) []string {
	t.Helper()
	list := []string{}
	for _, e := range collect(t, seq) {
		list = append(list, e.Message)
	}
	return list
}

// Events come each once and in order, however they fall on the pages of the real API.
func TestLogEventsPages(t *testing.T) {
	const page = 3
	for _, n := range []int{0, 1, page - 1, page, page + 1, 2 * page, 2*page + 1} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				l := newErrorLog(t)
				l.page = page
				want := []string{}
				for i := range n {
					want = append(want, fmt.Sprint(i))
					l.log(time.Now(), want[i])
					time.Sleep(time.Duration(i%2) * time.Millisecond) // some at the same time
				}
				got := messages(t, admin.LogEvents(t.Context(), l, admin.LogQuery{Group: "g", Stream: "d"}))
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if want := max(1, (n+page-1)/page); l.calls != want {
					t.Errorf("%d calls, want %d", l.calls, want)
				}
			})
		})
	}
}

func TestLogEventsQuery(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newErrorLog(t)
		time.Sleep(1234 * time.Microsecond)
		start := time.Now()
		l.log(start, `{"errorCode":"S3.AccessDenied"}`)
		time.Sleep(time.Second)
		l.log(start.Add(20*time.Millisecond), `{"errorCode":"S3.NoSuchBucket"}`)
		for _, tc := range []struct {
			q    admin.LogQuery
			want string
		}{
			{admin.LogQuery{From: start}, "AccessDenied NoSuchBucket"},
			{admin.LogQuery{From: start.Add(time.Millisecond)}, "NoSuchBucket"},
			{admin.LogQuery{From: start.Add(time.Second)}, ""},
			{admin.LogQuery{Pattern: `{ $.errorCode = "S3.A*" }`}, "AccessDenied"},
		} {
			tc.q.Group, tc.q.Stream = "g", "d"
			got := strings.Join(messages(t, admin.LogEvents(t.Context(), l, tc.q)), " ")
			if got = strings.NewReplacer(`{"errorCode":"S3.`, "", `"}`, "").Replace(got); got != tc.want {
				t.Errorf("%+v: %q, want %q", tc.q, got, tc.want)
			}
		}
		e := collect(t, admin.LogEvents(t.Context(), l, admin.LogQuery{Group: "g", Stream: "d"}))[1]
		if want := start.Add(20 * time.Millisecond).Truncate(time.Millisecond); !e.Time.Equal(want) || !e.Ingested.Equal(time.Now().Truncate(time.Millisecond)) || len(e.ID) != 56 {
			t.Errorf("%+v, want it of %v, and come %v", e, want, time.Now())
		}
		for group, want := range map[string]string{"g": "ResourceNotFoundException: The specified log stream does not exist.", "none": "ResourceNotFoundException: The specified log group does not exist."} {
			for _, err := range admin.LogEvents(t.Context(), l, admin.LogQuery{Group: group, Stream: "none"}) {
				checkExplained(t, err, "read log stream none of "+group+": "+want, "logs:PutLogEvents")
			}
		}
	})
}

// logPage is an answer of FilterLogEvents, each event of the second after epoch that
// its message tells.
func logPage(token string, events ...int) any {
	list := []object{}
	for _, e := range events {
		list = append(list, object{"eventId": fmt.Sprint("id", e), "message": fmt.Sprint(e), "timestamp": epoch.UnixMilli() + 1000*int64(e)})
	}
	page := object{"events": list}
	if token != "" {
		page["nextToken"] = token
	}
	return page
}

func (s *scripted) logs() *cloudwatchlogs.Client { return cloudwatchlogs.NewFromConfig(configFor(s)) }

var testQuery = admin.LogQuery{Group: "g", Stream: "d"}

// until collects messages up to an error.
func until(seq iter.Seq2[admin.LogEvent, error]) (got []string, errs []error) {
	for e, err := range seq {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		got = append(got, e.Message)
	}
	return got, errs
}

func TestLogEventsOddPages(t *testing.T) {
	throttled := awsError{400, "ThrottlingException", "Rate exceeded"}
	for _, tc := range []struct {
		name   string
		pages  []any
		want   []string
		tokens []string
		err    string
	}{
		{"nothing", []any{logPage("")}, nil, []string{""}, ""},
		{"empty with a token", []any{logPage("a"), logPage("b"), logPage("", 1)}, []string{"1"}, []string{"", "a", "b"}, ""},
		{"empty last page", []any{logPage("a", 1), logPage("")}, []string{"1"}, []string{"", "a"}, ""},
		{"the same token", []any{logPage("a", 1)}, []string{"1", "1"}, []string{"", "a"}, "same page token twice"},
		{"tokens in turn", []any{logPage("a", 1), logPage("b", 2), logPage("a", 3)}, []string{"1", "2", "3"}, []string{"", "a", "b"}, "same page token twice"},
		{"throttled", []any{throttled, logPage("a", 1), throttled, throttled, logPage("", 2)}, []string{"1", "2"}, []string{"", "", "a", "a", "a"}, ""},
		{"throttled for good", []any{logPage("a", 1), throttled}, []string{"1"}, []string{"", "a", "a", "a"}, "Rate exceeded"},
		{"denied", []any{awsError{400, "AccessDeniedException", "no"}}, nil, []string{""}, "AccessDeniedException"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := &scripted{answers: tc.pages}
				cfg := configFor(s)
				cfg.Retryer = nil // the SDK's
				got, errs := until(admin.LogEvents(t.Context(), cloudwatchlogs.NewFromConfig(cfg), testQuery))
				if !slices.Equal(got, tc.want) {
					t.Errorf("events %q, want %q", got, tc.want)
				}
				if tokens := s.tokens("nextToken"); !slices.Equal(tokens, tc.tokens) {
					t.Errorf("calls with the tokens %q, want %q", tokens, tc.tokens)
				}
				if (len(errs) == 1) != (tc.err != "") || len(errs) > 0 && !strings.Contains(errs[0].Error(), tc.err) {
					t.Errorf("errors %v, want %q", errs, tc.err)
				}
			})
		})
	}
}

func TestLogEventsStops(t *testing.T) {
	s := &scripted{answers: []any{logPage("a", 1, 2), logPage("", 3)}}
	for range admin.LogEvents(t.Context(), s.logs(), testQuery) {
		break
	}
	if len(s.asked) != 1 {
		t.Errorf("%d calls after a break, want 1", len(s.asked))
	}
	s.asked = nil
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got []string
	var last error
	for e, err := range admin.LogEvents(ctx, s.logs(), testQuery) {
		cancel()
		if last = err; err == nil {
			got = append(got, e.Message)
		}
	}
	if !slices.Equal(got, []string{"1", "2"}) || !errors.Is(last, context.Canceled) || len(s.asked) != 1 {
		t.Errorf("events %q, error %v, %d calls", got, last, len(s.asked))
	}
	checkExplained(t, firstError(admin.LogEvents(t.Context(), (&scripted{answers: []any{awsError{400, "AccessDeniedException", "no"}}}).logs(), testQuery)),
		"read log stream d of g: AccessDeniedException: no", "allow logs:FilterLogEvents")
}

func firstError[T any](seq iter.Seq2[T, error]) error {
	for _, err := range seq {
		if err != nil {
			return err
		}
	}
	return nil
}

// Events that arrive up to ten minutes late are seen, whatever has been seen of later
// ones, and none twice.
func TestLogTail(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newErrorLog(t)
		l.page = 2
		start := time.Now()
		l.log(start.Add(-20*time.Minute), "old")
		l.log(start.Add(-5*time.Minute), "before")
		tail := admin.NewLogTail(l, admin.LogQuery{Group: "g", Stream: "d", From: start.Add(-15 * time.Minute)})
		poll := func(want ...string) {
			t.Helper()
			if got := messages(t, tail.Poll(t.Context())); !slices.Equal(got, want) {
				t.Errorf("after %v: %q, want %q", time.Since(start), got, want)
			}
		}
		poll("before")
		poll()
		l.log(start, "a", "b", "b") // alike, and not the same
		poll("a", "b", "b")
		time.Sleep(9 * time.Minute)
		l.log(time.Now(), "new")
		poll("new")
		l.log(start.Add(time.Second), "late")
		l.log(start.Add(-5*time.Minute), "too late") // nobody looks there any more
		poll("late")
		poll()
		time.Sleep(time.Hour)
		poll()
		l.log(time.Now().Add(-9*time.Minute), "late too")
		poll("late too")
		time.Sleep(time.Hour) // nobody has polled: what came since the last time is seen
		l.log(time.Now().Add(-59*time.Minute), "in between")
		poll("in between")

		l.delay = 4 * time.Minute // a long poll, and what arrives in its course
		began := time.Now()
		l.log(began, "first", "second", "third")
		var got []string
		for e, err := range tail.Poll(t.Context()) {
			if got = append(got, e.Message); err != nil {
				t.Fatal(err)
			}
			if len(got) == 1 {
				l.log(began.Add(-9*time.Minute), "meanwhile")
			}
		}
		if want := []string{"first", "second", "third"}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		poll("meanwhile")
	})
}

// A poll that fails, or that its caller leaves, has its rest told by the next one.
func TestLogTailGoesOn(t *testing.T) {
	for name, answers := range map[string][]any{
		"failed": {logPage("a", 1, 2), awsError{400, "AccessDeniedException", "no"}, logPage("a", 1, 2), logPage("", 3)},
		"left":   {logPage("a", 1, 2), logPage("a", 1, 2), logPage("", 3)},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				time.Sleep(time.Until(epoch.Add(time.Hour))) // far later than the events
				s := &scripted{answers: answers}
				tail := admin.NewLogTail(s.logs(), testQuery)
				var got []string
				for e, err := range tail.Poll(t.Context()) {
					if err != nil {
						break
					}
					if got = append(got, e.Message); name == "left" {
						break
					}
				}
				got = append(got, messages(t, tail.Poll(t.Context()))...)
				if want := []string{"1", "2", "3"}; !slices.Equal(got, want) {
					t.Errorf("events %q, want %q", got, want)
				}
				if from := s.asked[len(s.asked)-1]["startTime"]; from != nil {
					t.Errorf("the second poll begins at %v, where the first had not been", from)
				}
				_ = messages(t, tail.Poll(t.Context()))
				if from, want := s.asked[len(s.asked)-1]["startTime"], float64(time.Now().Add(-10*time.Minute).UnixMilli()); from != want {
					t.Errorf("the third poll begins at %v, want %v", from, want)
				}
			})
		})
	}
}

// What a tail remembers is bounded: beyond it the tail looks back less far, and still
// tells nothing twice.
func TestLogTailIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		time.Sleep(time.Until(epoch))
		const n = 80_000
		var pages []any
		for i := 0; i < n; i += 10_000 {
			list := make([]int, 10_000)
			for k := range list {
				list[k] = i + k
			}
			pages = append(pages, logPage(fmt.Sprint("t", i), list...))
		}
		pages = append(pages, logPage(""))
		s := &scripted{answers: pages}
		tail := admin.NewLogTail(s.logs(), admin.LogQuery{Group: "g", Stream: "d", From: epoch})
		next := 0
		for e, err := range tail.Poll(t.Context()) {
			if err != nil || e.Message != fmt.Sprint(next) {
				t.Fatalf("event %q (%v), want %d", e.Message, err, next)
			}
			next++
		}
		if next != n {
			t.Fatalf("%d events, want %d", next, n)
		}
		s.asked = nil // the pages come again, as where the same time is asked for
		if got := messages(t, tail.Poll(t.Context())); len(got) > 0 {
			t.Errorf("%d events come twice, from %s on", len(got), got[0])
		}
		from := time.UnixMilli(int64(s.asked[0]["startTime"].(float64)))
		if oldest, latest := epoch.Add((n-50_000)*time.Second), epoch.Add((n-25_000)*time.Second); from.Before(oldest) || from.After(latest) {
			t.Errorf("it looks from %v on, want %v to %v", from.UTC(), oldest, latest)
		}
	})
}
