package s3_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/internal/memnet"
	"github.com/hydrant-go/hydrant/local/deliver"
	"github.com/hydrant-go/hydrant/local/deliver/s3"
)

// fault spoils a call. It returns false if the call is still to be served.
type fault func(http.ResponseWriter, *http.Request) (served bool)

func refuse(status int, code string) fault {
	return func(w http.ResponseWriter, r *http.Request) bool {
		io.Copy(io.Discard, r.Body)
		w.WriteHeader(status)
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>m</Message></Error>", code)
		return true
	}
}

func reset(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }

func hang(_ http.ResponseWriter, r *http.Request) bool {
	io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
	return true
}

// s3Server serves a folder on a network in memory, so that in a bubble retries
// take no time, and spoils the calls that it is told to.
type s3Server struct {
	http.Handler
	*awss3.Client
	dest *s3.Destination

	mu     sync.Mutex // guards the fields below
	faults map[string][]fault
	calls  map[string]int
}

// startServer starts a server for the rest of the bubble. faults are those of an
// operation's first calls.
func startServer(t *testing.T, faults map[string][]fault) *s3Server {
	t.Helper()
	s := &s3Server{Handler: newHandler(t), faults: faults, calls: map[string]int{}}
	l := memnet.Listen()
	srv := &http.Server{Handler: s}
	var wg sync.WaitGroup
	wg.Go(func() { srv.Serve(l) })
	transport := &http.Transport{DialContext: l.DialContext}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		srv.Close()
		wg.Wait()
		time.Sleep(time.Second) // what net/http gives a connection that it closes
	})
	cfg := awsConfig()
	cfg.RetryMaxAttempts = 7 // of the user's, for other services
	cfg.HTTPClient = &http.Client{Transport: transport}
	dest, err := s3.New(s3.Config{AWS: cfg, Endpoint: "http://memory", PathStyle: true, PartBytes: 5 * mib})
	if err != nil {
		t.Fatal(err)
	}
	s.Client, s.dest = newClient(cfg, "http://memory"), dest
	if _, err := s.CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: aws.String("b")}); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *s3Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	op := operation(r)
	s.mu.Lock()
	n := s.calls[op]
	s.calls[op]++
	var f fault
	if n < len(s.faults[op]) {
		f = s.faults[op][n]
	}
	s.mu.Unlock()
	if f == nil || !f(w, r) {
		s.Handler.ServeHTTP(w, r)
	}
}

func operation(r *http.Request) string {
	q := r.URL.Query()
	switch {
	case q.Has("uploads") && r.Method == "POST":
		return "create"
	case q.Has("partNumber"):
		return "part"
	case q.Has("uploadId") && r.Method == "POST":
		return "complete"
	case q.Has("uploadId") && r.Method == "DELETE":
		return "abort"
	case r.Method == "PUT" && r.URL.Path != "/b":
		return "put"
	default:
		return "other"
	}
}

// left is what there is of uploads, which is nothing if all is well.
func (s *s3Server) left(t *testing.T) (keys []string) {
	t.Helper()
	out, err := s.ListMultipartUploads(t.Context(), &awss3.ListMultipartUploadsInput{Bucket: aws.String("b")})
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range out.Uploads {
		keys = append(keys, *u.Key)
	}
	return keys
}

// has tells whether the object is there, whole.
func (s *s3Server) has(t *testing.T, o *deliver.Object) bool {
	t.Helper()
	out, err := s.GetObject(t.Context(), &awss3.GetObjectInput{Bucket: &o.Bucket, Key: &o.Key})
	if err != nil {
		return false
	}
	defer out.Body.Close()
	got, err := io.ReadAll(out.Body)
	if want := bytes.Join(o.Body, nil); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the object has %d bytes, %v, want %d", len(got), err, len(want))
	}
	return true
}

func TestFaults(t *testing.T) {
	small := &deliver.Object{Bucket: "b", Key: "small", Body: [][]byte{[]byte("x")}}
	large := &deliver.Object{Bucket: "b", Key: "large", Body: [][]byte{bytes.Repeat([]byte("x"), 11*mib)}} // in three parts
	slow, denied := refuse(503, "SlowDown"), refuse(403, "AccessDenied")
	afterwards := func(s *s3Server) fault { // does it, but the answer is lost
		return func(_ http.ResponseWriter, r *http.Request) bool {
			s.Handler.ServeHTTP(nothing{http.Header{}}, r)
			panic(http.ErrAbortHandler)
		}
	}
	always := func(f fault) []fault { return slices.Repeat([]fault{f}, 100) }
	for _, tt := range []struct {
		name   string
		object *deliver.Object
		faults func(*s3Server) map[string][]fault
		code   string // of the error; "" is none
		stored bool
		calls  map[string]int // that matter
	}{
		{
			"small, slow down: the caller is the one to try again", small,
			func(*s3Server) map[string][]fault { return map[string][]fault{"put": {slow}} },
			"InternalError", false,
			map[string]int{"put": 1},
		},
		{
			"small, reset", small,
			func(*s3Server) map[string][]fault { return map[string][]fault{"put": {reset}} },
			"InternalError", false,
			map[string]int{"put": 1},
		},
		{
			"small, denied", small,
			func(*s3Server) map[string][]fault { return map[string][]fault{"put": {denied}} },
			"S3.AccessDenied", false,
			map[string]int{"put": 1},
		},
		{
			"small, answer lost", small,
			func(s *s3Server) map[string][]fault { return map[string][]fault{"put": {afterwards(s)}} },
			"InternalError", true,
			map[string]int{"put": 1},
		},
		{
			"large, none", large,
			func(*s3Server) map[string][]fault { return nil },
			"", true,
			map[string]int{"create": 1, "part": 3, "complete": 1, "abort": 0},
		},
		{
			"large, create slow", large,
			func(*s3Server) map[string][]fault { return map[string][]fault{"create": {slow}} },
			"InternalError", false,
			map[string]int{"create": 1, "part": 0, "abort": 0},
		},
		{
			"large, two calls for parts fail: only they are sent again", large,
			func(*s3Server) map[string][]fault { return map[string][]fault{"part": {slow, nil, reset}} },
			"", true,
			map[string]int{"create": 1, "part": 5, "complete": 1, "abort": 0},
		},
		{
			"large, the answer to a part is lost", large,
			func(s *s3Server) map[string][]fault { return map[string][]fault{"part": {nil, afterwards(s)}} },
			"", true,
			map[string]int{"create": 1, "part": 4, "complete": 1, "abort": 0},
		},
		{
			"large, parts denied", large,
			func(*s3Server) map[string][]fault {
				return map[string][]fault{"part": append([]fault{nil}, always(denied)...)}
			},
			"S3.AccessDenied", false,
			map[string]int{"complete": 0, "abort": 1},
		},
		{
			"large, parts slow for long", large,
			func(*s3Server) map[string][]fault {
				return map[string][]fault{"part": append([]fault{nil}, always(slow)...)}
			},
			"InternalError", false,
			map[string]int{"complete": 0, "abort": 1},
		},
		{
			"large, complete fails, and so does the first abort", large,
			func(*s3Server) map[string][]fault {
				return map[string][]fault{"complete": {slow}, "abort": {slow, reset}}
			},
			"InternalError", false,
			map[string]int{"complete": 1, "abort": 3},
		},
		{
			"large, answer to complete lost", large,
			func(s *s3Server) map[string][]fault { return map[string][]fault{"complete": {afterwards(s)}} },
			"InternalError", true,
			map[string]int{"complete": 1, "abort": 1},
		},
		{
			"large, an error that comes with 200", large,
			func(*s3Server) map[string][]fault {
				return map[string][]fault{"complete": {refuse(200, "InternalError")}}
			},
			"InternalError", false,
			map[string]int{"complete": 1, "abort": 1},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := startServer(t, nil)
				s.faults = tt.faults(s)
				err := s.dest.Put(t.Context(), tt.object)
				if got := s3.Code(err); got != tt.code {
					t.Errorf("%v: code %q, want %q", err, got, tt.code)
				}
				if got := s.has(t, tt.object); got != tt.stored {
					t.Errorf("is it stored: %v, want %v", got, tt.stored)
				}
				got := map[string]int{}
				for op := range tt.calls {
					got[op] = s.calls[op]
				}
				if diff := gocmp.Diff(tt.calls, got); diff != "" {
					t.Errorf("calls (-want +got):\n%s", diff)
				}
				if left := s.left(t); len(left) > 0 {
					t.Errorf("an upload of %q is left", left)
				}
				s.faults = nil
				if err := s.dest.Put(t.Context(), tt.object); err != nil || !s.has(t, tt.object) {
					t.Errorf("a second Put: %v", err)
				}
			})
		})
	}
}

// nothing is where an answer goes that is lost.
type nothing struct{ header http.Header }

func (n nothing) Header() http.Header       { return n.header }
func (nothing) Write(b []byte) (int, error) { return len(b), nil }
func (nothing) WriteHeader(int)             {}

func TestBucketGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startServer(t, nil)
		for _, size := range []int{1, 6 * mib} {
			err := s.dest.Put(t.Context(), &deliver.Object{Bucket: "gone", Key: "k", Body: [][]byte{make([]byte, size)}})
			if s3.Code(err) != "S3.NoSuchBucket" || !strings.Contains(err.Error(), `"k"`) || !strings.Contains(err.Error(), `"gone"`) {
				t.Errorf("%d bytes: %v", size, err)
			}
		}
	})
}

// TestAbortFails: the parts that stay are told of.
func TestAbortFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		denied := slices.Repeat([]fault{refuse(403, "AccessDenied")}, 100)
		s := startServer(t, map[string][]fault{"part": denied, "abort": denied})
		err := s.dest.Put(t.Context(), &deliver.Object{Bucket: "b", Key: "k", Body: [][]byte{make([]byte, 6*mib)}})
		if err == nil || !strings.Contains(err.Error(), "parts stay in the bucket") || s3.Code(err) != "S3.AccessDenied" {
			t.Errorf("%v, want a word on the parts", err)
		}
	})
}

// TestCancelled: who stops waiting gets his error, and nothing stays.
func TestCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		stop := func(http.ResponseWriter, *http.Request) bool {
			cancel()
			return false
		}
		s := startServer(t, map[string][]fault{"part": {nil, stop}})
		o := &deliver.Object{Bucket: "b", Key: "k", Body: [][]byte{make([]byte, 30*mib)}}
		if err := s.dest.Put(ctx, o); !errors.Is(err, context.Canceled) {
			t.Errorf("%v, want context.Canceled", err)
		}
		synctest.Wait() // the parts that were cut off are done with
		if left := s.left(t); len(left) > 0 || s.has(t, o) {
			t.Errorf("an upload of %q is left", left)
		}
	})
}

// TestHang: no call takes for ever.
func TestHang(t *testing.T) {
	for _, op := range []string{"put", "create", "part", "complete"} {
		t.Run(op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				size := 1
				if op != "put" {
					size = 6 * mib
				}
				s := startServer(t, nil)
				s.faults = map[string][]fault{op: slices.Repeat([]fault{hang}, 200)}
				start := time.Now()
				err := s.dest.Put(t.Context(), &deliver.Object{Bucket: "b", Key: "k", Body: [][]byte{make([]byte, size)}})
				if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took > 3*time.Minute {
					t.Errorf("%v after %v", err, took)
				}
			})
		})
	}
}
