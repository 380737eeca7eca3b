package s3_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/hydrant-go/hydrant/local/deliver"
	"github.com/hydrant-go/hydrant/local/deliver/s3"
)

func TestBuckets(t *testing.T) {
	srv := httptest.NewServer(newHandler(t))
	t.Cleanup(srv.Close)
	buckets(t, srv.URL, 1001)
}

func TestBucketsMoto(t *testing.T) { buckets(t, startMoto(t), 3) }

// buckets makes, fills, empties and removes a bucket.
func buckets(t *testing.T, url string, objects int) {
	t.Helper()
	d, err := s3.New(s3.Config{AWS: awsConfig(), Endpoint: url, PathStyle: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, name := t.Context(), "a-bucket"
	want := func(what string, err, wanted error) {
		t.Helper()
		if !errors.Is(err, wanted) {
			t.Errorf("%s: %v, want %v", what, err, wanted)
		}
	}
	has := func(what string, wanted bool) {
		t.Helper()
		if got, err := d.HasBucket(ctx, name); got != wanted || err != nil {
			t.Errorf("%s: the bucket is there: %t, %v", what, got, err)
		}
	}
	has("at the beginning", false)
	want("remove none", d.RemoveBucket(ctx, name), fs.ErrNotExist)
	want("empty none", d.EmptyBucket(ctx, name), nil)
	_, err = d.ReadObject(ctx, name, "x", 10)
	want("read of none", err, fs.ErrNotExist)
	want("make", d.MakeBucket(ctx, name), nil)
	want("make again", d.MakeBucket(ctx, name), fs.ErrExist)
	has("made", true)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := i; n < objects; n += 8 {
				if err := d.Put(ctx, &deliver.Object{Bucket: name, Key: fmt.Sprintf("a/%d", n), Body: [][]byte{[]byte("content")}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	text, err := d.ReadObject(ctx, name, "a/1", 4)
	if string(text) != "cont" || err != nil {
		t.Errorf("read: %q, %v", text, err)
	}
	_, err = d.ReadObject(ctx, name, "b", 4)
	want("read nothing", err, fs.ErrNotExist)
	want("remove a full one", d.RemoveBucket(ctx, name), fs.ErrExist)
	want("empty", d.EmptyBucket(ctx, name), nil)
	want("remove", d.RemoveBucket(ctx, name), nil)
	has("at the end", false)
}
