package objects_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	gocmp "github.com/google/go-cmp/cmp"
)

// Other people's clients list 2,500 objects, more than two pages, and work with
// objects of their own.
func TestClients(t *testing.T) {
	f := serve(t)
	keys := make([]string, 2500)
	for i := range keys {
		keys[i] = fmt.Sprintf("2026/07/%02d/s-%04d", i%25, i)
		f.write(keys[i], strings.Repeat("x", i%7))
	}
	slices.Sort(keys)
	t.Run("client", func(t *testing.T) {
		for name, client := range map[string]func(*testing.T, *fixture, []string){
			"aws-sdk-go-v2": runGo,
			"boto3":         runBoto3,
			"aws-cli":       runCLI,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				own := *f
				own.T = t
				client(t, &own, keys)
			})
		}
	})
	if got := f.files(); len(got) != len(keys) {
		t.Errorf("the clients have left %d files, want the %d that there were", len(got), len(keys))
	}
}

func runGo(t *testing.T, f *fixture, keys []string) {
	var got []string
	pages := s3.NewListObjectsV2Paginator(f.s3, &s3.ListObjectsV2Input{Bucket: aws.String("b")})
	n := 0
	for ; pages.HasMorePages(); n++ {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			var i int64
			fmt.Sscanf((*o.Key)[len("2026/07/00/s-"):], "%d", &i)
			if *o.Size != i%7 || time.Since(*o.LastModified) > time.Minute || len(*o.ETag) != 36 || o.StorageClass != "STANDARD" {
				t.Errorf("%s: size %d, of %v, ETag %s, %s", *o.Key, *o.Size, o.LastModified, *o.ETag, o.StorageClass)
			}
			got = append(got, *o.Key)
		}
	}
	if diff := gocmp.Diff(keys, got); diff != "" || n != 3 {
		t.Errorf("%d pages, want 3; keys (-want +got):\n%s", n, diff)
	}
}

// command is a client's process, which has a minute. The test is skipped where
// it is missing.
func (f *fixture) command(missing, name string, args ...string) *exec.Cmd {
	f.Helper()
	if testing.Short() {
		f.Skip("-short leaves out the programs of others")
	}
	path, err := exec.LookPath(name)
	if err != nil {
		f.Skip(missing)
	}
	ctx, cancel := context.WithTimeout(f.Context(), time.Minute)
	f.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.WaitDelay = time.Second
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + f.TempDir(), "LANG=C.UTF-8", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ENDPOINT_URL_S3=" + f.url, "AWS_ACCESS_KEY_ID=key", "AWS_SECRET_ACCESS_KEY=secret", "AWS_DEFAULT_REGION=us-east-1",
		"PYTHONUSERBASE=" + filepath.Join(os.Getenv("HOME"), ".local"), // pip install --user puts packages there
	}
	return cmd
}

func stderrOf(err error) string {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(exit.Stderr)
	}
	return ""
}

func runBoto3(t *testing.T, f *fixture, keys []string) {
	const missing = "boto3 is not installed: python3 -m pip install boto3"
	cmd := f.command(missing, "python3", "testdata/boto3_client.py", "b", "boto3")
	out, err := cmd.Output()
	if cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == 77 {
		t.Skip(missing)
	}
	type report struct {
		Buckets []string `json:"buckets"`
		List1   []string `json:"list_objects"`
		List2   []string `json:"list_objects_v2"`
		Folders []string `json:"folders"`
		Big     []any    `json:"big"`
		Range   string   `json:"range"`
		Keys    []string `json:"keys"`
		Errors  []string `json:"errors"`
	}
	var got report
	if err := cmp.Or(err, json.Unmarshal(out, &got)); err != nil {
		t.Fatalf("%v\n%s%s", err, out, stderrOf(err))
	}
	want := report{
		Buckets: got.Buckets, List1: keys, List2: keys, Big: []any{true, "gzip"}, Range: "345", Keys: []string{"big.json", "copy", "ODD"},
		Errors: []string{"NoSuchKey", "NoSuchBucket", "404", "InvalidRange", "PreconditionFailed", "BucketNotEmpty", "NotImplemented"},
	}
	for i := range 25 {
		want.Folders = append(want.Folders, fmt.Sprintf("2026/07/%02d/", i))
	}
	if diff := gocmp.Diff(want, got); diff != "" || !slices.Contains(got.Buckets, "b") {
		t.Errorf("buckets %q; report (-want +got):\n%s", got.Buckets, diff)
	}
}

// runCLI keeps the calls few: each takes half a second.
func runCLI(t *testing.T, f *fixture, keys []string) {
	run := func(args ...string) string {
		t.Helper()
		out, err := f.command("the AWS CLI is not installed: https://docs.aws.amazon.com/cli/ tells how", "aws", append([]string{"s3"}, args...)...).Output()
		if err != nil {
			t.Fatalf("aws s3 %q: %v\n%s%s", args, err, out, stderrOf(err))
		}
		return string(out)
	}
	var listed []string
	for line := range strings.Lines(run("ls", "--recursive", "s3://b")) {
		fields := strings.Fields(line)
		listed = append(listed, fields[len(fields)-1])
	}
	if diff := gocmp.Diff(keys, listed); diff != "" {
		t.Errorf("aws s3 ls --recursive (-want +got):\n%s", diff)
	}
	up, down := t.TempDir(), t.TempDir()
	big := bytes.Repeat([]byte("big "), 9<<20/4) // goes up in parts
	for name, content := range map[string][]byte{"big": big, "folder/small": []byte("small"), "empty": nil} {
		if err := errors.Join(os.MkdirAll(filepath.Join(up, "folder"), 0o777), os.WriteFile(filepath.Join(up, name), content, 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.s3.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("cli")}); err != nil {
		t.Fatal(err)
	}
	run("sync", up, "s3://cli/in")
	run("sync", "s3://cli", down)
	for name, want := range map[string]string{"in/big": string(big), "in/folder/small": "small", "in/empty": ""} {
		if got, err := os.ReadFile(filepath.Join(down, name)); string(got) != want || err != nil {
			t.Errorf("%s came back with %d bytes, %v, want %d", name, len(got), err, len(want))
		}
	}
	run("rb", "--force", "s3://cli")
}
