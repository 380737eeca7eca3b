package local_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"

	"github.com/hydrant-go/hydrant/internal/hostile"
	"github.com/hydrant-go/hydrant/internal/memnet"
	"github.com/hydrant-go/hydrant/internal/serve"
	"github.com/hydrant-go/hydrant/local"
	"github.com/hydrant-go/hydrant/server"
)

var signer = hostile.Signer{AccessKey: "AKIDHOSTILE", SecretKey: "secret"}

// unharmed fails the test for what no client may bring about.
type unharmed struct {
	slog.Handler
	t *testing.T
}

func (u unharmed) Enabled(context.Context, slog.Level) bool { return true }

func (u unharmed) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelError || strings.Contains(r.Message, "panic") {
		text := r.Message
		r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
		u.t.Errorf("logged at %v: %s", r.Level, text)
	}
	return nil
}

// served is what hydrant local is, on a network in memory.
func served(t *testing.T) (*local.Backend, *memnet.Listener, string) {
	dir, logger := t.TempDir(), slog.New(unharmed{slog.DiscardHandler, t})
	if err := os.Mkdir(filepath.Join(dir, hostile.Bucket), 0o777); err != nil {
		t.Fatal(err)
	}
	large, err := os.Create(filepath.Join(dir, hostile.Bucket, hostile.Key))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(large.Truncate(20<<20), large.Close()); err != nil {
		t.Fatal(err)
	}
	b, err := local.New(local.Config{Dir: dir, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	srv := serve.New(serve.Config{Logger: logger, Handler: b.Handler(server.Config{
		Credentials: map[string]string{signer.AccessKey: signer.SecretKey}, Logger: logger,
	})})
	l, stopped := memnet.Listen(), make(chan struct{})
	go func() {
		defer close(stopped)
		_ = srv.Serve(l)
	}()
	t.Cleanup(func() {
		_ = srv.Close()
		<-stopped
		if err := b.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return b, l, dir
}

// TestHostileClients has all of them at it at once, beside a client that puts a record
// every second and gets its answer.
func TestHostileClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l, dir := served(t)
		transport := &http.Transport{DialContext: l.DialContext}
		client := firehose.New(firehose.Options{
			BaseEndpoint: aws.String("http://memory"), Region: "us-east-1", RetryMaxAttempts: 1, HTTPClient: &http.Client{Transport: transport},
			Credentials: credentials.NewStaticCredentialsProvider(signer.AccessKey, signer.SecretKey, ""),
		})
		if _, err := client.CreateDeliveryStream(t.Context(), &firehose.CreateDeliveryStreamInput{
			DeliveryStreamName:                 aws.String("hostile"),
			ExtendedS3DestinationConfiguration: &types.ExtendedS3DestinationConfiguration{RoleARN: aws.String("arn:aws:iam::000000000000:role/r"), BucketARN: aws.String("arn:aws:s3:::b")},
		}); err != nil {
			t.Fatal(err)
		}
		stored := 0
		put := func() {
			began := time.Now()
			out, err := client.PutRecordBatch(t.Context(), &firehose.PutRecordBatchInput{DeliveryStreamName: aws.String("hostile"), Records: []types.Record{{Data: []byte("good\n")}}})
			if err != nil || *out.FailedPutCount != 0 || time.Since(began) > time.Second {
				t.Errorf("a put: %v after %v", err, time.Since(began))
			}
			stored++
		}
		put()
		transport.CloseIdleConnections()
		synctest.Wait()
		before := runtime.NumGoroutine()

		var attacks sync.WaitGroup
		for _, a := range signer.Attacks() {
			attacks.Go(func() {
				conn, err := l.DialContext(t.Context(), "", "")
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				began := time.Now()
				answer := a.Run(conn)
				if !strings.HasPrefix(answer, a.Want) {
					t.Errorf("%s: %.300q, want %s", a.Name, answer, a.Want)
				}
				if d := time.Since(began); d > 75*time.Second {
					t.Errorf("%s: it had the connection for %v", a.Name, d)
				}
			})
		}
		over := make(chan struct{})
		go func() {
			attacks.Wait()
			close(over)
		}()
		for attacked := true; attacked; {
			put()
			select {
			case <-over:
				attacked = false
			case <-time.After(time.Second):
			}
		}
		put()
		transport.CloseIdleConnections()
		time.Sleep(time.Second) // net/http takes its time to close what had an unread body
		synctest.Wait()
		if after := runtime.NumGoroutine(); after > before || l.Open() != 0 {
			buf := make([]byte, 1<<20)
			t.Errorf("%d goroutines, and %d before; %d connections\n%s", after, before, l.Open(), buf[:runtime.Stack(buf, true)])
		}
		if st := b.State().Streams; len(st) != 1 || st[0].Totals.Records != int64(stored) {
			t.Errorf("%+v, want %d records in one stream", st, stored)
		}
		if err := b.Flush(t.Context()); err != nil {
			t.Error(err)
		}
		wantFiles(t, dir, hostile.Bucket+"/"+hostile.Key, "b/")
	})
}

// wantFiles wants no files in dir but those that begin so.
func wantFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		for _, front := range want {
			if strings.HasPrefix(filepath.ToSlash(name), front) {
				return nil
			}
		}
		t.Errorf("the file %s is left", name)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
