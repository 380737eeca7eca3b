package infra_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/firehose"

	"github.com/hydrant-go/hydrant/admin"
	"github.com/hydrant-go/hydrant/infra"
	"github.com/hydrant-go/hydrant/internal/memnet"
	"github.com/hydrant-go/hydrant/local"
	"github.com/hydrant-go/hydrant/server"
)

// site is a local Firehose, with CloudFormation and S3, on a network in memory: for a
// bubble.
type site struct {
	dir    string
	aws    aws.Config
	before func(action string) // is called before CloudFormation is
}

func newSite(t *testing.T, cfg local.Config) *site {
	t.Helper()
	s := &site{dir: t.TempDir()}
	cfg.Dir, cfg.Logger = s.dir, slog.New(slog.DiscardHandler)
	backend, err := local.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	handler := backend.Handler(server.Config{Credentials: map[string]string{"AKID": "secret"}})
	listener := memnet.Listen()
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if form, err := url.ParseQuery(string(body)); err == nil && form.Has("Action") && s.before != nil {
			s.before(form.Get("Action"))
		}
		handler.ServeHTTP(w, r)
	})}
	go func() { _ = srv.Serve(listener) }() // until it is closed
	transport := &http.Transport{DialContext: listener.DialContext}
	s.aws = aws.Config{
		Region: "eu-west-1", BaseEndpoint: aws.String("http://aws.test"), HTTPClient: &http.Client{Transport: transport},
		Credentials: credentials.NewStaticCredentialsProvider("AKID", "secret", ""),
	}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := errors.Join(srv.Close(), backend.Close(context.Background())); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *site) config() aws.Config { return s.aws }

func (s *site) put(t *testing.T, bucket string, n int) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(s.dir, bucket, "data"), 0o777); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := os.WriteFile(filepath.Join(s.dir, bucket, "data", fmt.Sprintf("%05d", i)), []byte("0123456789"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// exists tells whether there is such a bucket.
func (s *site) exists(bucket string) bool {
	_, err := os.Stat(filepath.Join(s.dir, bucket))
	return err == nil
}

func TestLocal(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, l := newSite(t, local.Config{}), &told{}
		o := infra.DeployOptions{AWS: s.config(), Parameters: map[string]string{"StreamName": "events", "Prefix": "p/"}, Callbacks: l.callbacks()}
		got, err := infra.Deploy(t.Context(), o)
		if err != nil || got.Action != "created" || got.Status != "CREATE_COMPLETE" || got.Outputs["StreamName"] != "events" || got.Region != "eu-west-1" || got.Account != "000000000000" {
			t.Fatalf("%+v, %v", got, err)
		}
		if n := len(l.events); n < 30 || l.events[0].Type != stackType || l.events[n-1].Status != "CREATE_COMPLETE" {
			t.Errorf("%d events: %q", n, l.lines())
		}
		o.Parameters = map[string]string{"BufferSizeMiB": "7"}
		if got, err = infra.Deploy(t.Context(), o); err != nil || got.Action != "updated" {
			t.Fatalf("%+v, %v", got, err)
		}
		d, err := admin.Describe(t.Context(), firehose.NewFromConfig(s.config()), "events")
		if err != nil {
			t.Fatal(err)
		}
		if s3 := d.Destinations[0].ExtendedS3DestinationDescription; *s3.BufferingHints.SizeInMBs != 7 || *s3.Prefix != "p/" {
			t.Errorf("the stream has %d MiB and prefix %s", *s3.BufferingHints.SizeInMBs, *s3.Prefix)
		}
		if got, err = infra.Deploy(t.Context(), o); err != nil || got.Action != "unchanged" {
			t.Fatalf("%+v, %v", got, err)
		}

		bucket := got.Outputs["BucketName"]
		s.put(t, bucket, 2500)
		inv, err := infra.Inspect(t.Context(), s.config(), "hydrant")
		if err != nil || len(inv.Streams) != 1 || inv.Streams[0] != "events" || len(inv.Buckets) != 1 || inv.Buckets[0].Versions != 2500 || inv.Buckets[0].Bytes != 25_000 {
			t.Errorf("%+v, %v", inv, err)
		}
		done, err := infra.Destroy(t.Context(), infra.DestroyOptions{AWS: s.config()})
		if err != nil || !done.Deleted || done.Buckets[0].Versions != 2500 || s.exists(bucket) {
			t.Errorf("%+v, %v", done, err)
		}
		for name := range admin.Streams(t.Context(), firehose.NewFromConfig(s.config())) {
			t.Errorf("stream %s is left", name)
		}
		if done, err := infra.Destroy(t.Context(), infra.DestroyOptions{AWS: s.config()}); err != nil || done.Found {
			t.Errorf("once more: %+v, %v", done, err)
		}
	})
}

// A resource that can't be made: its cause is shown, and the next try begins anew.
func TestLocalFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, l := newSite(t, local.Config{}), &told{}
		s.put(t, "taken", 1)
		o := infra.DeployOptions{AWS: s.config(), Template: `{"Resources": {
			"Logs": {"Type": "AWS::Logs::LogGroup"},
			"Bucket": {"Type": "AWS::S3::Bucket", "DependsOn": "Logs", "Properties": {"BucketName": "taken"}}
		}}`}
		_, err := infra.Deploy(t.Context(), o)
		failed, ok := errors.AsType[*infra.FailedError](err)
		if !ok || failed.Status != "ROLLBACK_COMPLETE" || failed.Failures[0].LogicalID != "Bucket" || !strings.Contains(failed.Failures[0].Reason, "taken") {
			t.Fatalf("%v: %+v", err, failed)
		}
		o.Template, o.Callbacks = strings.ReplaceAll(o.Template, `"taken"`, `"free"`), l.callbacks()
		got, err := infra.Deploy(t.Context(), o)
		if err != nil || got.Action != "created" || len(l.said) != 1 {
			t.Errorf("%+v, %v, said %q", got, err, l.said)
		}
		// An update that fails is undone.
		o.Template = strings.ReplaceAll(o.Template, `"free"`, `"taken"`)
		if _, err = infra.Deploy(t.Context(), o); err == nil || !strings.Contains(err.Error(), "is UPDATE_ROLLBACK_COMPLETE: AWS::S3::Bucket Bucket: ") || !s.exists("free") {
			t.Errorf("%v", err)
		}
		done, err := infra.Destroy(t.Context(), infra.DestroyOptions{AWS: s.config()})
		if err != nil || !done.Deleted || s.exists("free") || !s.exists("taken/data/00000") {
			t.Errorf("%+v, %v", done, err)
		}
	})
}

// The stream takes a minute to come and to go. Whoever is interrupted meanwhile joins.
func TestLocalInterrupted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSite(t, local.Config{StateDelay: time.Minute})
		started := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		if _, err := infra.Deploy(ctx, infra.DeployOptions{AWS: s.config()}); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("interrupted: %v", err)
		}
		l := &told{}
		got, err := infra.Deploy(t.Context(), infra.DeployOptions{AWS: s.config(), Callbacks: l.callbacks()})
		if took := time.Since(started); err != nil || got.Action != "created" || took < time.Minute || took > 90*time.Second {
			t.Errorf("after %v: %+v, %v", took, got, err)
		}
		if len(l.said) != 1 || l.events[0].Status != "CREATE_IN_PROGRESS" || l.events[0].Type != stackType {
			t.Errorf("said %q, events %q", l.said, l.lines())
		}

		s.put(t, got.Outputs["BucketName"], 10)
		ctx, cancel = context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		if _, err := infra.Destroy(ctx, infra.DestroyOptions{AWS: s.config()}); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("interrupted: %v", err)
		}
		s.put(t, got.Outputs["BucketName"], 10)
		l = &told{}
		done, err := infra.Destroy(t.Context(), infra.DestroyOptions{AWS: s.config(), Callbacks: l.callbacks()})
		if err != nil || !done.Deleted || done.Buckets[0].Versions != 10 || s.exists(got.Outputs["BucketName"]) {
			t.Errorf("%+v, %v", done, err)
		}
		if lines := l.lines(); lines[0] != "hydrant DELETE_IN_PROGRESS" || lines[len(lines)-1] != "hydrant DELETE_COMPLETE" || slices.Contains(lines, "hydrant DELETE_FAILED") {
			t.Errorf("events %q", lines)
		}
	})
}

// Something comes into the bucket between its emptying and the order.
func TestLocalLateObject(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, l := newSite(t, local.Config{}), &told{}
		got, err := infra.Deploy(t.Context(), infra.DeployOptions{AWS: s.config()})
		if err != nil {
			t.Fatal(err)
		}
		late := 2
		s.before = func(action string) {
			if action == "DeleteStack" && late > 0 {
				s.put(t, got.Outputs["BucketName"], 1)
				late--
			}
		}
		done, err := infra.Destroy(t.Context(), infra.DestroyOptions{AWS: s.config(), Callbacks: l.callbacks()})
		if err != nil || !done.Deleted || done.Buckets[0].Versions != 2 || s.exists(got.Outputs["BucketName"]) {
			t.Errorf("%+v, %v", done, err)
		}
		if len(l.said) != 2 || !slices.Contains(l.lines(), "Bucket DELETE_FAILED") {
			t.Errorf("said %q, events %q", l.said, l.lines())
		}
	})
}

func TestLocalRetained(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSite(t, local.Config{})
		template := `{"Resources": {"Kept": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "Properties": {"BucketName": "kept"}}, "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "gone"}}}}`
		if _, err := infra.Deploy(t.Context(), infra.DeployOptions{AWS: s.config(), Template: template}); err != nil {
			t.Fatal(err)
		}
		s.put(t, "kept", 3)
		s.put(t, "gone", 3)
		done, err := infra.Destroy(t.Context(), infra.DestroyOptions{AWS: s.config()})
		if err != nil || !done.Deleted || len(done.Kept) != 1 || !s.exists("kept/data/00002") || s.exists("gone") {
			t.Errorf("%+v, %v", done, err)
		}
	})
}
