package objects_test

import (
	"encoding/xml"
	"io"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hydrant-go/hydrant/local/objects"
)

// fuzzed is a handler over a bucket b with some objects, in a folder of its own.
func fuzzed(f *testing.F) (h *objects.Handler, parent string) {
	parent = f.TempDir()
	for _, key := range []string{"a", "a-b", "folder/x", "folder/y/z", "ä ö", "zz"} {
		name := filepath.Join(parent, "dir", "b", filepath.FromSlash(key))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			f.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(key), 0o666); err != nil {
			f.Fatal(err)
		}
	}
	h, err := objects.New(objects.Config{Dir: filepath.Join(parent, "dir"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.Fatal(err)
	}
	return h, parent
}

// call makes a call that must be answered in XML, and not by a failure of ours.
func callXML(t *testing.T, h *objects.Handler, method, query, body string) string {
	r := httptest.NewRequest(method, "/b/", strings.NewReader(body))
	r.URL.Path, r.URL.RawQuery = "/b", query
	if key, ok := strings.CutPrefix(query, "key:"); ok {
		r.URL.Path, r.URL.RawQuery = "/b/k", key
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	text := w.Body.String()
	if w.Code >= 500 && w.Code != 501 {
		t.Errorf("%s %q %q: %d %s", method, query, body, w.Code, text)
	}
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		if _, err := d.Token(); err == io.EOF {
			return text
		} else if err != nil {
			t.Fatalf("%s %q %q: %v in %q", method, query, body, err, text)
		}
	}
}

// FuzzXML: the two calls with XML are answered in XML whatever it is, and remove
// nothing beside the bucket.
func FuzzXML(f *testing.F) {
	h, parent := fuzzed(f)
	beside := filepath.Join(parent, "beside")
	if err := os.WriteFile(beside, nil, 0o666); err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{
		`<?xml version="1.0" encoding="UTF-8"?><Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>a</Key><VersionId>null</VersionId></Object><Object><Key>../../beside</Key></Object><Quiet>true</Quiet></Delete>`,
		`<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"x"</ETag></Part><Part><PartNumber>-1</PartNumber></Part></CompleteMultipartUpload>`,
		`<!DOCTYPE x [<!ENTITY a "b">]><Delete><Object><Key>&a;&#x1;</Key></Object></Delete>`,
		`<Delete><Object><Key><![CDATA[x]]></Key></Object>`, "<Delete>\xff\x00</Delete>", `<a:Delete xmlns:a="b"><a:Object/></a:Delete>`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, body string) {
		callXML(t, h, "POST", "delete=", body)
		callXML(t, h, "POST", "key:uploadId=none", body)
		if _, err := os.Stat(beside); err != nil {
			t.Errorf("%q: %v", body, err)
		}
	})
}

// FuzzList: whatever a list is asked for, it is one of the bucket's objects in their
// order, and following its tokens ends.
func FuzzList(f *testing.F) {
	h, _ := fuzzed(f)
	for _, query := range []string{
		"list-type=2&prefix=folder/&delimiter=/&max-keys=1&start-after=a&encoding-type=url&fetch-owner=true", "prefix=&delimiter=-&marker=a&max-keys=2",
		"list-type=2&continuation-token=YQ==&max-keys=0", "list-type=2&continuation-token=%ff", "max-keys=99999999999", "delimiter=%00&prefix=%ff", "uploads=&prefix=x", "location=", "key:uploadId=x&max-parts=-1", "a;b=%zz",
	} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		callXML(t, h, "GET", query, "")
		values, err := url.ParseQuery(query)
		if err != nil || values.Get("list-type") != "2" {
			return
		}
		last := values.Get("start-after")
		for pages := 0; ; pages++ {
			var page struct {
				IsTruncated           bool
				NextContinuationToken string
				Contents              []struct{ Key string }
			}
			if xml.Unmarshal([]byte(callXML(t, h, "GET", values.Encode(), "")), &page) != nil || !page.IsTruncated {
				return
			}
			if pages > 10 {
				t.Fatalf("%q: the list has no end", query)
			}
			for _, o := range page.Contents {
				if values.Get("encoding-type") == "" && values.Get("continuation-token") == "" && o.Key <= last {
					t.Errorf("%q: %q comes after %q", query, o.Key, last)
				}
				last = o.Key
			}
			values.Set("continuation-token", page.NextContinuationToken)
		}
	})
}
