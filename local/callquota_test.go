package local

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hydrant-go/hydrant/server"
	"github.com/hydrant-go/hydrant/wire"
)

// caller calls operations at a Backend's address, of an account in a region.
type caller struct {
	http.Handler
	region string
}

func callerOf(b *Backend, account, region string) caller {
	return caller{b.Handler(server.Config{NoAuth: true, Account: account, Region: region, Logger: slog.New(slog.DiscardHandler)}), region}
}

func (c caller) call(op, body string) (status int, text string) {
	r := httptest.NewRequest("POST", "/", strings.NewReader(body))
	r.Header.Set("X-Amz-Target", wire.TargetPrefix+op)
	r.Header.Set("Content-Type", wire.ContentType)
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// times makes n calls and counts those that were taken.
func (c caller) times(t *testing.T, n int, op, body string) (taken int) {
	t.Helper()
	for range n {
		switch status, text := c.call(op, body); {
		case status == http.StatusOK:
			taken++
		case status != http.StatusBadRequest || !strings.Contains(text, wire.CodeThrottling) || !strings.Contains(text, `"Rate exceeded"`):
			t.Errorf("%s: %d %s", op, status, text)
		}
	}
	return taken
}

// admin makes an admin call.
func (c caller) admin(method, path, body string) (status int, text string) {
	r := httptest.NewRequest(method, "http://localhost/_hydrant/"+path, strings.NewReader(body))
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

const nameS = `{"DeliveryStreamName":"s"}`

// TestControlQuota: of each control operation, each account has so many calls a second
// in each region; puts have them all.
func TestControlQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, Config{ControlQuota: 3}, 5, 900)
		c := callerOf(b, me.Account, me.Region)
		for _, tt := range []struct {
			c        caller
			op, body string
			want     int
		}{
			{c, "DescribeDeliveryStream", nameS, 3},
			{c, "DescribeDeliveryStream", nameS, 0},
			{c, "ListDeliveryStreams", `{}`, 3},
			{callerOf(b, me.Account, me.Region), "ListDeliveryStreams", `{}`, 0}, // another address of the same
			{callerOf(b, me.Account, "eu-west-1"), "ListDeliveryStreams", `{}`, 3},
			{callerOf(b, "210987654321", me.Region), "ListDeliveryStreams", `{}`, 3},
			{c, "PutRecord", `{"DeliveryStreamName":"s","Record":{"Data":"eA=="}}`, 20},
			{c, "PutRecordBatch", `{"DeliveryStreamName":"s","Records":[{"Data":"eA=="}]}`, 20},
		} {
			if got := tt.c.times(t, 20, tt.op, tt.body); got != tt.want {
				t.Errorf("%s: %d of 20 calls were taken, want %d", tt.op, got, tt.want)
			}
		}
		time.Sleep(time.Second)
		if got := c.times(t, 20, "DescribeDeliveryStream", nameS); got != 3 {
			t.Errorf("a second later %d were taken, want 3", got)
		}
		for range 20 {
			if _, err := b.DescribeDeliveryStream(t.Context(), me, &server.DescribeDeliveryStreamInput{DeliveryStreamName: "s"}); err != nil {
				t.Fatal(err) // calls of the program itself
			}
		}
	})
}

// TestControlQuotaSet: there is none unless it is asked for, by Config or at run time.
func TestControlQuotaSet(t *testing.T) {
	if _, err := New(Config{Dir: t.TempDir(), ControlQuota: -1}); err == nil || !strings.Contains(err.Error(), "ControlQuota is -1") {
		t.Errorf("New with a negative quota: %v", err)
	}
	for _, tt := range []struct {
		cfg  Config
		none int // how many of 20 are taken where nothing is said; and where 0 is said
	}{{Config{}, 20}, {Config{RegionQuota: true}, awsControlCalls}, {Config{RegionQuota: true, ControlQuota: 7}, awsControlCalls}} {
		synctest.Test(t, func(t *testing.T) {
			b := backend(t, tt.cfg, 5, 900)
			c := callerOf(b, me.Account, me.Region)
			taken := func(when string, want int) {
				t.Helper()
				if got := c.times(t, 20, "ListDeliveryStreams", `{}`); got != want {
					t.Errorf("RegionQuota %v, ControlQuota %d, %s: %d were taken, want %d", tt.cfg.RegionQuota, tt.cfg.ControlQuota, when, got, want)
				}
			}
			set := func(method, body string, want int, say string) {
				t.Helper()
				if status, text := c.admin(method, "quota/control", body); status != want || !strings.Contains(text, say) {
					t.Errorf("%s %s: %d %s", method, body, status, text)
				}
			}
			first := tt.none
			if n := tt.cfg.ControlQuota; n > 0 {
				first = n
			}
			taken("at first", first)
			set("PUT", `{"calls":2}`, 200, "{}")
			taken("with 2", 2)
			if status, text := c.admin("GET", "state", ""); status != 200 || !strings.Contains(text, `"control_quota":2`) {
				t.Errorf("the state is %d %s", status, text)
			}
			set("PUT", `{"calls":-1}`, 400, "must not be negative")
			set("PUT", `{"call":1}`, 400, "unknown field")
			taken("after refusals", 0)
			set("DELETE", "", 200, "{}")
			taken("with none", tt.none)
			set("PUT", `{"calls":4}`, 200, "{}")
			set("PUT", `{"calls":0}`, 200, "{}")
			taken("with 0", tt.none)
		})
	}
}

// TestManyCallersOfControl: who calls from ever new regions takes no memory for each.
func TestManyCallersOfControl(t *testing.T) {
	var q callQuota
	q.set(1)
	for i := range 3 * maxLimiters {
		if err := q.admit(server.Caller{Region: string(rune(i))}, "op"); err != nil && i < maxLimiters {
			t.Fatal(err)
		}
	}
	if n := len(q.limiters); n > maxLimiters {
		t.Errorf("%d limiters are kept", n)
	}
}

// TestQuotaOfAStream: a name may mean streams of several regions and accounts; only one
// gets the quota.
func TestQuotaOfAStream(t *testing.T) {
	b := backend(t, Config{}, 5, 900)
	c := callerOf(b, me.Account, me.Region)
	far, other := server.Caller{Account: me.Account, Region: "eu-west-1"}, server.Caller{Account: "210987654321", Region: "eu-west-1"}
	d := s3Destination("bucket")
	in := &server.CreateDeliveryStreamInput{DeliveryStreamName: "s", Destination: server.Destination{S3: &d}}
	for _, who := range []server.Caller{far, other} {
		if _, err := b.CreateDeliveryStream(t.Context(), who, in); err != nil {
			t.Fatal(err)
		}
	}
	own := func() (records []int) { // of far, me and other: as State orders them
		for _, s := range b.State().Streams {
			n := 0
			if s.Quota != nil {
				n = s.Quota.Records
			}
			records = append(records, n)
		}
		return records
	}
	for _, tt := range []struct {
		method, query string
		status        int
		say           string
		want          [3]int
	}{
		{"PUT", "?stream=s", 400, `"s" may be 3 delivery streams, arn:aws:firehose:eu-west-1:123456789012:deliverystream/s and arn:`, [3]int{}},
		{"PUT", "?stream=s&region=eu-west-1", 400, "may be 2 delivery streams", [3]int{}},
		{"PUT", "?stream=s&region=eu-west-2", 400, `no delivery stream "s" in region "eu-west-2"`, [3]int{}},
		{"PUT", "?region=eu-west-1", 400, "name it by stream=", [3]int{}},
		{"PUT", "?stream=s&regoin=eu-west-1", 400, "no parameter regoin", [3]int{}},
		{"PUT", "?stream=s&region=us-east-1", 200, "{}", [3]int{0, 5, 0}},
		{"PUT", "?stream=s&region=eu-west-1&account=210987654321", 200, "{}", [3]int{0, 5, 5}},
		{"DELETE", "?stream=s", 400, "may be 3", [3]int{0, 5, 5}},
		{"DELETE", "?stream=s&account=210987654321", 200, "{}", [3]int{0, 5, 0}},
	} {
		status, text := c.admin(tt.method, "quota"+tt.query, `{"records":5}`)
		if got := own(); status != tt.status || !strings.Contains(text, tt.say) || [3]int(got) != tt.want {
			t.Errorf("%s %s: %d %s, quotas %v, want %v", tt.method, tt.query, status, text, got, tt.want)
		}
	}
	if status, text := c.admin("POST", "flush?stream=s", ""); status != 200 {
		t.Errorf("flush of all that the name means: %d %s", status, text)
	}
	if err := b.SetStreamQuota(server.Caller{Account: me.Account, Region: "eu-west-2"}, "s", nil); err == nil {
		t.Error("a stream that is not there got a quota")
	}
}
