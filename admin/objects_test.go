package admin_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/admin"
)

// startS3 starts moto, an S3 of somebody else's.
func startS3(t *testing.T) *s3.Client {
	t.Helper()
	moto, err := exec.LookPath("moto_server")
	if err != nil {
		t.Skip("moto_server is not installed, so S3 is not tested: pip install 'moto[server]'")
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().(*net.TCPAddr)
	free.Close()
	cmd := exec.Command(moto, "-H", "127.0.0.1", "-p", fmt.Sprint(addr.Port))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-tick.C {
		if conn, err := net.Dial("tcp", addr.String()); err == nil {
			conn.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("moto_server does not answer")
		}
	}
	return s3.NewFromConfig(aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String("http://" + addr.String()), Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
	}, func(o *s3.Options) { o.UsePathStyle = true })
}

func TestObjects(t *testing.T) {
	c := startS3(t)
	if _, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("bucket")}); err != nil {
		t.Fatal(err)
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write([]byte("zipped\n"))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	bodies := map[string][]byte{"in/1": []byte("plain\n"), "in/2.gz": zipped.Bytes(), "in/3": {}, "in/4": []byte("x"), "out/1": []byte("no")}
	for key, body := range bodies {
		in := &s3.PutObjectInput{Bucket: aws.String("bucket"), Key: &key, Body: bytes.NewReader(body)}
		if strings.HasSuffix(key, ".gz") {
			in.ContentEncoding = aws.String("gzip") // as Firehose sets it
		}
		if _, err := c.PutObject(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]string{}
	for o, err := range admin.Objects(t.Context(), c, "bucket", "in/") {
		if err != nil {
			t.Fatal(err)
		}
		if o.Size != int64(len(bodies[o.Key])) || time.Since(o.LastModified) > time.Hour {
			t.Errorf("%+v", o)
		}
		body, err := admin.ReadObject(t.Context(), c, "bucket", o.Key)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(body)
		if err = errors.Join(err, body.Close()); err != nil {
			t.Fatal(err)
		}
		got[o.Key] = string(text)
	}
	if diff := gocmp.Diff(map[string]string{"in/1": "plain\n", "in/2.gz": "zipped\n", "in/3": "", "in/4": "x"}, got); diff != "" {
		t.Error(diff)
	}
	for _, err := range admin.Objects(t.Context(), c, "nope", "") {
		if err == nil || !strings.Contains(err.Error(), "list s3://nope/: ") {
			t.Errorf("a bucket that is not there: %v", err)
		}
	}
	if _, err := admin.ReadObject(t.Context(), c, "bucket", "nope"); err == nil || !strings.Contains(err.Error(), "read s3://bucket/nope: ") {
		t.Errorf("an object that is not there: %v", err)
	}
}
