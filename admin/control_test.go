package admin_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/admin"
	"github.com/hydrant-go/hydrant/hydranttest"
	"github.com/hydrant-go/hydrant/internal/testkit"
)

var silent = slog.New(slog.DiscardHandler)

// An account has five calls a second of ListDeliveryStreams. Thirty listings at once,
// each of three pages, all come to their end, and none has a name twice.
func TestThirtyListings(t *testing.T) {
	bubble(t, func(t *testing.T) {
		fh := hydranttest.Start(t, hydranttest.Options{})
		want := []string{}
		for i := range 201 {
			want = append(want, fmt.Sprintf("s%03d", i))
			fh.CreateStream(want[i])
		}
		sdk := fh.AWSConfig()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://localhost/_hydrant/quota/control", strings.NewReader(`{"calls":5}`))
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := sdk.HTTPClient.Do(r); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatal(resp, err)
		}
		var warned testkit.Buffer
		log := slog.New(slog.NewTextHandler(&warned, &slog.HandlerOptions{Level: slog.LevelWarn}))
		client := firehose.NewFromConfig(admin.Control(sdk, log))
		began := time.Now()
		var wg sync.WaitGroup
		for range 30 {
			wg.Go(func() {
				if diff := cmp.Diff(want, collect(t, admin.Streams(t.Context(), client))); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
		wg.Wait()
		if took := time.Since(began); took < 17*time.Second || took > 3*time.Minute { // 90 calls at 5 a second
			t.Errorf("took %v", took)
		}
		if got := warned.String(); !strings.Contains(got, "operation=ListDeliveryStreams") || !strings.Contains(got, "code=ThrottlingException") {
			t.Errorf("logged %.300s", got)
		}
	})
}

// How often a call is made depends on why it fails, and it ends with its context.
func TestAttempts(t *testing.T) {
	for _, tc := range []struct {
		answer awsError
		calls  int
	}{
		{awsError{400, "ThrottlingException", "Rate exceeded"}, 12},
		{awsError{400, "TooManyRequestsException", ""}, 12},
		{awsError{500, "InternalFailure", ""}, 3},
		{awsError{503, "ServiceUnavailableException", ""}, 3},
		{awsError{400, "LimitExceededException", "You already have 5000 streams"}, 1},
		{awsError{400, "AccessDeniedException", "no"}, 1},
		{awsError{400, "ResourceNotFoundException", "no"}, 1},
	} {
		bubble(t, func(t *testing.T) {
			s := &scripted{answers: []any{tc.answer}}
			var logged testkit.Buffer
			log := slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
			_, err := admin.Describe(t.Context(), firehose.NewFromConfig(admin.Control(configFor(s), log)), "s")
			if err == nil || len(s.asked) != tc.calls {
				t.Errorf("%s: %d calls, want %d; %v", tc.answer.code, len(s.asked), tc.calls, err)
			}
			if text := admin.Explain(err).Error(); !strings.HasPrefix(text, "describe delivery stream s: "+tc.answer.code) {
				t.Errorf("explained as %s", text)
			}
			text := logged.String()
			if n := strings.Count(text, `level=DEBUG msg="control call" service=Firehose operation=DescribeDeliveryStream took=`); n != tc.calls {
				t.Errorf("%s: %d of %d calls logged:\n%s", tc.answer.code, n, tc.calls, text)
			}
			if n := strings.Count(text, "level=WARN"); n != tc.calls-1 || n != strings.Count(text, " wait=") || strings.Count(text, "code="+tc.answer.code) != tc.calls+n {
				t.Errorf("%s: %d waits logged:\n%s", tc.answer.code, n, text)
			}
			if !strings.Contains(text, "request_id=00000000-1111-2222-3333-444444444444") {
				t.Errorf("no request id:\n%s", text)
			}
		})
	}
	bubble(t, func(t *testing.T) {
		s := &scripted{answers: []any{awsError{400, "ThrottlingException", "Rate exceeded"}}}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		_, err := admin.Describe(ctx, firehose.NewFromConfig(admin.Control(configFor(s), silent)), "s")
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != 5*time.Second {
			t.Errorf("%v after %v", err, took)
		}
	})
	bubble(t, func(t *testing.T) {
		s := &scripted{answers: []any{awsError{500, "InternalFailure", ""}}}
		_, _ = admin.Describe(t.Context(), firehose.NewFromConfig(admin.Patient(admin.Control(configFor(s), silent))), "s")
		if len(s.asked) != 10 {
			t.Errorf("patient: %d calls, want 10", len(s.asked))
		}
	})
	bubble(t, func(t *testing.T) { // AWS_MAX_ATTEMPTS
		s := &scripted{answers: []any{awsError{400, "ThrottlingException", "Rate exceeded"}}}
		cfg := configFor(s)
		cfg.RetryMaxAttempts = 2
		cfg = admin.Patient(cfg)
		_, _ = admin.Describe(t.Context(), firehose.NewFromConfig(admin.Control(cfg, silent)), "s")
		if len(s.asked) != 2 {
			t.Errorf("%d calls, want 2", len(s.asked))
		}
	})
}
