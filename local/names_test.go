package local_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hydrant-go/hydrant/local"
)

// secret stands in every file that no client may see, and hiddenName in their names.
const secret, hiddenName = "SECRET", "guarded"

// guarded is a front with files beside its folder and hidden in it, and with links to
// them in bucket b; also those that the system's own calls would follow.
func guarded(t *testing.T) *front {
	t.Helper()
	f := newFront(t, local.Config{})
	outside := filepath.Join(f.parent, "outside")
	hidden := filepath.Join(f.dir, ".hydrant")
	for _, dir := range []string{outside, hidden} {
		if err := os.MkdirAll(filepath.Join(dir, "folder"), 0o777); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"file-" + hiddenName, "folder/file-" + hiddenName} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(secret), 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, target := range map[string]string{"linked": outside, "inside": ".hydrant"} {
		if err := os.Symlink(target, filepath.Join(f.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{
		"folder": outside, "above": "../../outside", "root": "/", "file": filepath.Join(outside, "file-"+hiddenName), "hidden": "../.hydrant", "new": filepath.Join(outside, "new"), "self": "self",
	} {
		if err := os.Symlink(target, filepath.Join(f.dir, "b", name)); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// unchanged wants the guarded files as they were, and no others beside the folder.
func (f *front) unchanged(t *testing.T, when string) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(f.parent, func(path string, e fs.DirEntry, err error) error {
		inside := strings.HasPrefix(path, f.dir+string(filepath.Separator)) && !strings.HasPrefix(path, filepath.Join(f.dir, ".hydrant"))
		if err != nil || inside || !e.Type().IsRegular() {
			return err
		}
		n++
		if text, err := os.ReadFile(path); err != nil || string(text) != secret {
			t.Errorf("%s: %s holds %q, %v", when, path, text, err)
		}
		return nil
	})
	if err != nil || n != 4 {
		t.Fatalf("%s: %d guarded files, want 4; %v", when, n, err)
	}
}

// paths are names as they might be thought to lead out, as they stand in a request's
// path behind the bucket; the bucket is b or is in them.
func paths() (paths []string) {
	names := []string{"outside/file-" + hiddenName, "outside/new"}
	for _, name := range names {
		for _, up := range []string{"../../", "./../../", "x/../../../", "..%2f..%2f", "%2e%2e/%2e%2e/", `..\..\`, "..%5c..%5c", "%2e%2e%2f%2e%2e%2f", "..%252f..%252f", "....//....//", "..%00/../", "..;/..;/", "/../../", "%2f..%2f..%2f", "..%c0%af..%c0%af", "above/", "root/../"} {
			paths = append(paths, "/b/"+up+name)
		}
		paths = append(paths, "/../"+name, "//"+name, "/%2e%2e/"+name, "/..%2f"+name, "/"+name, "/linked/"+strings.TrimPrefix(name, "outside/"), "/inside/"+strings.TrimPrefix(name, "outside/"), "/b/folder/"+strings.TrimPrefix(name, "outside/"),
			"/.hydrant/"+strings.TrimPrefix(name, "outside/"), "/%2ehydrant/"+strings.TrimPrefix(name, "outside/"), "/b/hidden/"+strings.TrimPrefix(name, "outside/"), "/b/../.hydrant/"+strings.TrimPrefix(name, "outside/"))
	}
	return append(paths, "/b/file", "/b/new", "/b/self", "/b/self/x", "/b/root/etc/passwd", "/b/%00", "/b/a%00b", "/b/%ff", "/b/"+strings.Repeat("n", 900), "/b/"+strings.Repeat("n/", 510)+"n",
		"/linked", "/linked?list-type=2", "/inside", "/inside?list-type=2", "/..", "/.", "/..?list-type=2", "/.hydrant?list-type=2", "/.hydrant", "/b?list-type=2&prefix=../", "/b?list-type=2&prefix=folder/", "/b?list-type=2&prefix=hidden/",
		"/b?list-type=2", "/b?marker=../", "/b?list-type=2&continuation-token="+base64.URLEncoding.EncodeToString([]byte("../")), "/")
}

// TestNamesOfObjects: no call of S3 sees, changes or makes what is not an object in a
// bucket, whatever its names say and wherever links lead.
func TestNamesOfObjects(t *testing.T) {
	t.Parallel()
	f := guarded(t)
	if status, answer := f.do(t, "PUT /b/%2Fetc%2F HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx"); status != 400 {
		t.Errorf("a key with slashes at both ends: %d %s", status, answer)
	}
	check := func(raw string) {
		t.Helper()
		status, answer := f.do(t, raw)
		if status >= 500 && status != 501 {
			t.Errorf("%.300q: %d %s", raw, status, answer)
		}
		listed := strings.Contains(answer, "<ListBucketResult") && strings.Contains(answer, hiddenName)
		if strings.Contains(answer, secret) || listed || strings.Contains(answer, "root:") {
			t.Errorf("%.300q: %d %s", raw, status, answer)
		}
	}
	for _, path := range paths() {
		for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "POST"} {
			body, p := "", path
			switch method {
			case "PUT":
				body = "overwritten"
			case "POST":
				p += "?uploads="
			}
			check(fmt.Sprintf("%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", method, p, len(body), body))
		}
		for _, host := range []string{"b.localhost", "..localhost", "...localhost", ".hydrant.localhost", "linked.localhost", "inside.localhost"} {
			check(fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, host))
			check(fmt.Sprintf("DELETE %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, host))
		}
		check("PUT /b/copy HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nX-Amz-Copy-Source: " + strings.TrimPrefix(path, "/") + "\r\n\r\n")
		check("GET /b/copy HTTP/1.1\r\nHost: localhost\r\n\r\n")
		key, _ := url.PathUnescape(strings.TrimPrefix(path, "/b/"))
		check(post("/b?delete=", "<Delete><Object><Key>"+strings.ToValidUTF8(strings.ReplaceAll(strings.ReplaceAll(key, "&", "&amp;"), "\x00", ""), "?")+"</Key></Object></Delete>"))
	}
	f.unchanged(t, "after all calls")
	for _, link := range []string{"folder", "above", "hidden", "self"} {
		if info, err := os.Lstat(filepath.Join(f.dir, "b", link)); err == nil && info.Mode()&fs.ModeSymlink == 0 && info.IsDir() {
			t.Errorf("%s has become a folder", link)
		}
	}
}

// TestNamesElsewhere: names of streams, log groups and metrics, and what makes keys of
// objects, lead nowhere either.
func TestNamesElsewhere(t *testing.T) {
	t.Parallel()
	f := guarded(t)
	names := []string{"..", ".", "../outside/x", "../../outside/x", "/etc/x", `..\x`, "a\x00b", "\xff", "linked/x", ".hydrant/x", strings.Repeat("n", 5000), "%2e%2e%2fx", "a//b", "x/", "C:x", "NUL", ""}
	text := func(s string) string {
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	check := func(raw string) bool {
		t.Helper()
		status, answer := f.do(t, raw)
		if status != 200 && (status < 400 || status >= 500) || strings.Contains(answer, secret) {
			t.Errorf("%.300q: %d %s", raw, status, answer)
		}
		return status == 200
	}
	for i, name := range names {
		n := text(name)
		const fh, logs, cw = "Firehose_20150804.", "Logs_20140328.", "GraniteServiceVersion20100801."
		check(call(fh+"CreateDeliveryStream", strings.Replace(fmt.Sprintf(streamSettings, "NAME", "p/"), `"NAME"`, n, 1)))
		for j, settings := range []string{
			strings.Replace(fmt.Sprintf(streamSettings, "NAME", "PREFIX"), `"PREFIX"`, n, 1),
			strings.Replace(fmt.Sprintf(streamSettings, "NAME", "PREFIX"), `"PREFIX"`, text("p/"+name+"/q"), 1),
			strings.Replace(fmt.Sprintf(streamSettings, "NAME", ""), `arn:aws:s3:::b`, strings.Trim(text("arn:aws:s3:::"+name), `"`), 1),
			strings.Replace(fmt.Sprintf(streamSettings, "NAME", ""), `"Prefix"`, `"FileExtension":`+text("."+name)+`,"Prefix"`, 1),
			strings.Replace(fmt.Sprintf(streamSettings, "NAME", "p/"), `"Prefix"`, `"ErrorOutputPrefix":`+text(name+"!{firehose:error-output-type}/")+`,"Prefix"`, 1),
			strings.Replace(fmt.Sprintf(streamSettings, "NAME", ""), `"Prefix"`, `"CustomTimeZone":`+text("../"+name)+`,"Prefix"`, 1),
		} {
			stream := fmt.Sprintf("s-%d-%d", i, j)
			if check(call(fh+"CreateDeliveryStream", strings.Replace(settings, "NAME", stream, 1))) {
				check(call(fh+"PutRecord", `{"DeliveryStreamName":"`+stream+`","Record":{"Data":"YQ=="}}`))
			}
		}
		check(call(fh+"DeleteDeliveryStream", `{"DeliveryStreamName":`+n+`}`))
		check(call(logs+"CreateLogGroup", `{"logGroupName":`+n+`}`))
		check(call(logs+"CreateLogStream", `{"logGroupName":`+n+`,"logStreamName":`+n+`}`))
		check(call(logs+"PutLogEvents", `{"logGroupName":`+n+`,"logStreamName":`+n+`,"logEvents":[{"timestamp":1900000000000,"message":"m"}]}`))
		check(call(logs+"DeleteLogGroup", `{"logGroupName":`+n+`}`))
		check(call(cw+"PutMetricData", `{"Namespace":`+text("N"+name)+`,"MetricData":[{"MetricName":`+text("N"+name)+`,"Value":1}]}`))
		check(post("/_hydrant/flush?stream="+url.QueryEscape(name), ""))
		check("GET /_hydrant/page/" + url.PathEscape(name) + " HTTP/1.1\r\nHost: localhost\r\n\r\n")
		check("GET /_hydrant/page/../" + url.PathEscape(name) + " HTTP/1.1\r\nHost: localhost\r\n\r\n")
	}
	if err := f.backend.Flush(t.Context()); err != nil {
		t.Errorf("what was accepted can't be delivered: %v", err)
	}
	f.unchanged(t, "in the end")
}

// TestNamesFromRecords: the values that partition keys have come out of records. Those
// that make no name of an object go to the errors, and keep nobody back.
func TestNamesFromRecords(t *testing.T) {
	t.Parallel()
	f := guarded(t)
	settings := `{"DeliveryStreamName":"p","ExtendedS3DestinationConfiguration":{"RoleARN":"arn:aws:iam::000000000000:role/r","BucketARN":"arn:aws:s3:::b",
		"Prefix":"!{partitionKeyFromQuery:k}/","ErrorOutputPrefix":"errors/","BufferingHints":{"SizeInMBs":64,"IntervalInSeconds":60},
		"DynamicPartitioningConfiguration":{"Enabled":true},"ProcessingConfiguration":{"Enabled":true,"Processors":[{"Type":"MetadataExtraction",
		"Parameters":[{"ParameterName":"MetadataExtractionQuery","ParameterValue":"{k:.k}"},{"ParameterName":"JsonParsingEngine","ParameterValue":"JQ-1.6"}]}]}}}`
	if status, answer := f.do(t, call("Firehose_20150804.CreateDeliveryStream", settings)); status != 200 {
		t.Fatalf("%d %s", status, answer)
	}
	for _, value := range []string{"..", ".", "../../outside", "/outside", "a/../../../outside", "a\x00b", "\x00", `..\..\outside`, "x\n", "\u202e", strings.Repeat("n", 300), "good"} {
		record, err := json.Marshal(map[string]string{"k": value})
		if err != nil {
			t.Fatal(err)
		}
		body := fmt.Sprintf(`{"DeliveryStreamName":"p","Record":{"Data":%q}}`, base64.StdEncoding.EncodeToString(record))
		if status, answer := f.do(t, call("Firehose_20150804.PutRecord", body)); status != 200 {
			t.Fatalf("%q: %d %s", value, status, answer)
		}
		if err := f.backend.Flush(t.Context()); err != nil {
			t.Errorf("%q: %v", value, err)
		}
	}
	f.unchanged(t, "in the end")
	if found, err := filepath.Glob(filepath.Join(f.dir, "b", "good", "p-1-*")); err != nil || len(found) != 1 {
		t.Errorf("of the good record are there %v, %v", found, err)
	}
}
