package local

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hydrant-go/hydrant/local/page"
	"github.com/hydrant-go/hydrant/server"
)

// adminPath is where what AWS does not have is called: the state, flush, reset,
// quotas and faults.
const adminPath = "/_hydrant/"

// State is what the local Firehose is at, as the page and GET /_hydrant/state have
// it.
type State struct {
	Now      time.Time `json:"now"`
	Started  time.Time `json:"started"`
	Speed    float64   `json:"speed"`
	EachCall bool      `json:"each_call"`
	Quota    Quota     `json:"quota"`
	// RegionQuota tells that streams without a quota of their own have AWS's of their
	// region while Quota is all 0.
	RegionQuota bool `json:"region_quota"`
	// ControlQuota is how many calls a second each control operation takes of an
	// account in a region; 0 is no limit.
	ControlQuota int           `json:"control_quota"`
	Faults       *Plan         `json:"faults,omitempty"` // if they are a Plan
	Streams      []StreamState `json:"streams"`
	Deliveries   []Delivery    `json:"deliveries"` // the last ones, the latest first
}

// StreamState is a stream's. Totals count from the start of the process.
type StreamState struct {
	Account     string        `json:"account"`
	Region      string        `json:"region"`
	Name        string        `json:"name"`
	ARN         string        `json:"arn"`
	Status      server.Status `json:"status"`
	Version     int           `json:"version"`
	Destination string        `json:"destination"`     // s3 or http
	Target      string        `json:"target"`          // the bucket or the URL
	Quota       *Quota        `json:"quota,omitempty"` // its own
	Totals      Totals        `json:"totals"`
	Waiting     int64         `json:"waiting_records"` // in the journal
	WaitingMiB  float64       `json:"waiting_mib"`     // files of the journal
	Buffers     []BufferState `json:"buffers"`
}

// Totals are counts of a stream.
type Totals struct {
	Calls     int64 `json:"calls"`
	Records   int64 `json:"records"` // accepted
	Bytes     int64 `json:"bytes"`   // of those
	Throttled int64 `json:"throttled_records"`
	Refused   int64 `json:"refused_records"` // for another reason
	Delivered int64 `json:"delivered_records"`
	Objects   int64 `json:"objects"`
	Failures  int64 `json:"delivery_failures"`
}

// BufferState is a buffer that fills up or is delivered.
type BufferState struct {
	Kind     string  `json:"kind"`
	Part     string  `json:"part,omitempty"` // partition, or type of error
	Records  int     `json:"records"`
	Bytes    int     `json:"bytes"`
	Size     int     `json:"size"`       // bytes at which it is delivered
	Age      float64 `json:"age_s"`      // of its oldest record, in the Firehose's time
	Interval float64 `json:"interval_s"` // at which it is delivered
	Sealed   int     `json:"sealed"`     // full ones that wait
	Failures int     `json:"failures"`   // of deliveries, in a row
}

// Delivery is an object that was delivered.
type Delivery struct {
	Time    time.Time `json:"time"`
	Stream  string    `json:"stream"`
	Bucket  string    `json:"bucket"`
	Key     string    `json:"key"`
	Records int       `json:"records"`
	Bytes   int64     `json:"bytes"` // as stored
	First   []string  `json:"first"` // lines, cut short
}

// recent is the last deliveries.
type recent struct {
	mu   sync.Mutex // guards list
	list []Delivery
}

const (
	keepDeliveries = 20
	firstLines     = 3
	firstBytes     = 200
)

func (r *recent) add(b *batch) {
	o := b.object
	d := Delivery{Time: time.Now(), Stream: o.Stream, Bucket: o.Bucket, Key: o.Key, Records: b.n, First: b.lines()}
	for _, part := range o.Body {
		d.Bytes += int64(len(part))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = slices.Insert(r.list, 0, d)
	r.list = r.list[:min(len(r.list), keepDeliveries)]
}

// lines is how the first records begin.
func (b *batch) lines() []string {
	lines := []string{}
	for r := range b.all() {
		for line := range bytes.SplitSeq(bytes.TrimSuffix(r.data, []byte("\n")), []byte("\n")) {
			if len(lines) == firstLines {
				return lines
			}
			text := strings.ToValidUTF8(string(line[:min(len(line), firstBytes)]), "�")
			if len(line) > firstBytes {
				text += "…"
			}
			lines = append(lines, text)
		}
	}
	return lines
}

// State tells what the Firehose is at.
func (b *Backend) State() State {
	b.mu.Lock()
	st := State{Now: time.Now(), Started: b.started, Speed: b.cfg.Speed, EachCall: b.cfg.EachCall, Quota: b.quota, RegionQuota: b.cfg.RegionQuota, ControlQuota: b.calls.get(), Streams: []StreamState{}}
	st.Faults, _ = b.faults.(*Plan)
	b.mu.Unlock()
	all := b.all()
	slices.SortFunc(all, func(a, b *stream) int { return compareStreams(a.key, b.key) })
	for _, s := range all {
		st.Streams = append(st.Streams, s.state())
	}
	b.recent.mu.Lock()
	defer b.recent.mu.Unlock()
	st.Deliveries = append([]Delivery{}, b.recent.list...)
	return st
}

func (s *stream) state() StreamState {
	set, q := s.settings(), s.queue.Stats()
	st := StreamState{
		Account: s.key.Account, Region: s.key.Region, Name: s.key.name, ARN: s.arn(), Status: s.status(set), Version: set.Version,
		Destination: "s3", Quota: set.Quota, Totals: s.totals.read(), Waiting: q.Records, WaitingMiB: float64(q.Bytes) / (1 << 20), Buffers: []BufferState{},
	}
	if d := set.Destination.HTTP; d != nil {
		st.Destination, st.Target = "http", d.URL
	} else {
		st.Target = set.Destination.S3.Bucket()
	}
	f, speed := s.flow, s.backend.cfg.Speed
	f.mu.Lock()
	defer f.mu.Unlock()
	for key, b := range f.buffers {
		size, interval := f.plan.hints(key.kind)
		bs := BufferState{Kind: key.kind.String(), Part: key.part, Size: size, Interval: interval.Seconds() * speed, Sealed: len(b.sealed), Failures: b.failures}
		for _, o := range b.batchesLocked() {
			bs.Records += o.n
			bs.Bytes += o.bytes
			bs.Age = max(bs.Age, time.Since(o.since).Seconds()*speed)
		}
		st.Buffers = append(st.Buffers, bs)
	}
	slices.SortFunc(st.Buffers, func(a, b BufferState) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Part, b.Part)) })
	return st
}

// Reset deletes every stream with what it has buffered, and every stack without the rest
// of what it has made. What was delivered stays, and so do metrics and logs.
func (b *Backend) Reset() error {
	if err := b.stacks.Reset(); err != nil {
		return err
	}
	b.control.Lock()
	defer b.control.Unlock()
	for _, s := range b.all() {
		if err := b.removeLocked(s); err != nil {
			return err
		}
	}
	return nil
}

// SetStreamQuota gives a stream its own quota; nil takes it away.
func (b *Backend) SetStreamQuota(c server.Caller, name string, q *Quota) error {
	if q != nil {
		if err := q.validate(); err != nil {
			return err
		}
	}
	b.control.Lock()
	defer b.control.Unlock()
	s, err := b.lookup(c, name)
	if err != nil {
		return err
	}
	set := *s.settings()
	set.Quota = q
	if err := b.save(s.key, &set); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set = &set
	s.meter = s.quotaLocked().meter()
	b.sampler.wake()
	return nil
}

// named finds the streams that a call's parameters stream, region and account mean; a
// region and an account that are left out may be any. There is one stream at least.
func (b *Backend) named(q url.Values) ([]*stream, error) {
	for parameter := range q {
		if !slices.Contains([]string{"stream", "region", "account"}, parameter) {
			return nil, fmt.Errorf("there is no parameter %s, only stream, region and account", parameter)
		}
	}
	if !q.Has("stream") {
		return nil, errors.New("a region and an account mean one stream's: name it by stream=")
	}
	may := func(value, parameter string) bool { return !q.Has(parameter) || value == q.Get(parameter) }
	list := slices.DeleteFunc(b.all(), func(s *stream) bool {
		return s.key.name != q.Get("stream") || !may(s.key.Region, "region") || !may(s.key.Account, "account")
	})
	if len(list) == 0 {
		return nil, fmt.Errorf("there is no delivery stream %q%s", q.Get("stream"), where(q))
	}
	slices.SortFunc(list, func(a, b *stream) int { return compareStreams(a.key, b.key) })
	return list, nil
}

func where(q url.Values) (text string) {
	for _, parameter := range []string{"region", "account"} {
		if q.Has(parameter) {
			text += fmt.Sprintf(" in %s %q", parameter, q.Get(parameter))
		}
	}
	return text
}

// theOne is named where only one may be meant.
func (b *Backend) theOne(q url.Values) (*stream, error) {
	list, err := b.named(q)
	if err != nil {
		return nil, err
	}
	if len(list) > 1 {
		var arns []string
		for _, s := range list {
			arns = append(arns, s.arn())
		}
		return nil, fmt.Errorf("%q may be %d delivery streams, %s: add region= and account=", q.Get("stream"), len(list), strings.Join(arns, " and "))
	}
	return list[0], nil
}

// maxAdmin is the largest body of an admin call, in bytes: a plan of hundreds of rules.
const maxAdmin = 64 << 10

// admin serves adminPath.
func (b *Backend) admin() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+adminPath+"state", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, b.State()) })
	do := func(pattern string, f func(*http.Request, []byte) error) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAdmin))
			if err == nil {
				err = f(r, body)
			}
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			writeJSON(w, struct{}{})
		})
	}
	do("POST "+adminPath+"flush", func(r *http.Request, _ []byte) error {
		if len(r.URL.RawQuery) == 0 {
			return b.Flush(r.Context())
		}
		streams, err := b.named(r.URL.Query())
		if err != nil {
			return err
		}
		return flush(r.Context(), streams)
	})
	do("POST "+adminPath+"reset", func(*http.Request, []byte) error { return b.Reset() })
	quota := func(r *http.Request, q *Quota) error {
		if len(r.URL.RawQuery) == 0 {
			return b.SetQuota(*cmp.Or(q, &Quota{}))
		}
		s, err := b.theOne(r.URL.Query())
		if err != nil {
			return err
		}
		return b.SetStreamQuota(s.key.Caller, s.key.name, q)
	}
	do("PUT "+adminPath+"quota", func(r *http.Request, body []byte) error {
		var q Quota
		if err := decodeStrictly(body, &q); err != nil {
			return fmt.Errorf("the quota: %w", err)
		}
		return quota(r, &q)
	})
	do("DELETE "+adminPath+"quota", func(r *http.Request, _ []byte) error { return quota(r, nil) })
	do("PUT "+adminPath+"quota/control", func(_ *http.Request, body []byte) error {
		var q struct {
			Calls int `json:"calls"`
		}
		if err := decodeStrictly(body, &q); err != nil {
			return fmt.Errorf("the quota: %w", err)
		}
		return b.SetControlQuota(q.Calls)
	})
	do("DELETE "+adminPath+"quota/control", func(*http.Request, []byte) error { return b.SetControlQuota(0) })
	do("PUT "+adminPath+"faults", func(_ *http.Request, body []byte) error {
		p, err := ParsePlan(body)
		if err == nil {
			b.SetFaults(p)
		}
		return err
	})
	do("DELETE "+adminPath+"faults", func(*http.Request, []byte) error {
		b.SetFaults(nil)
		return nil
	})
	return mux
}

func decodeStrictly(text []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	return dec.Decode(v)
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(v) // an error means that nobody is there
}

var errForeign = errors.New("the admin calls and the page are for this machine's own browser and programs: call them by localhost or an IP address, and not from another site")

// homely refuses what a page of another site may have a browser do: a name that
// leads here by DNS only, or a change that another origin asks for.
func homely(r *http.Request) error {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if host != "localhost" && net.ParseIP(strings.Trim(host, "[]")) == nil {
		return errForeign
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return errForeign
	}
	if origin := r.Header.Get("Origin"); origin != "" && origin != "http://"+r.Host && origin != "https://"+r.Host {
		return errForeign
	}
	return nil
}

// mine tells whether a path is the page's or an admin call's.
func mine(r *http.Request) bool {
	return r.URL.Path == "/" && (r.Method == http.MethodGet || r.Method == http.MethodHead) && len(r.URL.RawQuery) == 0 || strings.HasPrefix(r.URL.Path, adminPath)
}

// own serves what AWS does not have: the admin calls and the page.
func (b *Backend) own() http.Handler {
	admin, people := b.admin(), page.Handler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch err := homely(r); {
		case err != nil:
			http.Error(w, err.Error(), http.StatusForbidden)
		case strings.HasPrefix(r.URL.Path, adminPath) && !strings.HasPrefix(r.URL.Path, page.Path):
			admin.ServeHTTP(w, r)
		default:
			people.ServeHTTP(w, r)
		}
	})
}
