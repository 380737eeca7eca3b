package httpendpoint

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const arn = "arn:aws:firehose:us-east-1:123456789012:deliverystream/logs"

func TestConfig(t *testing.T) {
	attributes := func(n int) (list []Attribute) {
		for i := range n {
			list = append(list, Attribute{Name: strings.Repeat("n", i+1)})
		}
		return list
	}
	for _, tt := range []struct {
		name string
		cfg  Config // URL and SourceARN are set if they are not
		want string // part of the error; "" is none
	}{
		{name: "defaults"},
		{name: "443 by name", cfg: Config{URL: "https://example.com:443/path?q=1"}},
		{name: "the longest URL", cfg: Config{URL: "https://example.com/" + strings.Repeat("ü", MaxURL-20)}},
		{name: "a longer URL", cfg: Config{URL: "https://example.com/" + strings.Repeat("ü", MaxURL-19)}, want: "URL has 1001 characters"},
		{name: "http", cfg: Config{URL: "http://example.com"}, want: "must be https and on port 443"},
		{name: "another port", cfg: Config{URL: "https://example.com:8443"}, want: "must be https and on port 443"},
		{name: "http allowed", cfg: Config{URL: "http://localhost:8080/x", AllowHTTP: true}},
		{name: "another port allowed", cfg: Config{URL: "https://localhost:8443", AllowHTTP: true}},
		{name: "ftp", cfg: Config{URL: "ftp://example.com", AllowHTTP: true}, want: "must be https"},
		{name: "no scheme", cfg: Config{URL: "example.com"}, want: "names no host"},
		{name: "no host", cfg: Config{URL: "https:///x"}, want: "names no host"},
		{name: "no URL", cfg: Config{URL: "https://%"}, want: "URL: parse"},
		{name: "a user", cfg: Config{URL: "https://user:secret@example.com"}, want: "AccessKey"},
		{name: "no ARN", cfg: Config{SourceARN: "-"}, want: "SourceARN"},
		{name: "the longest key", cfg: Config{AccessKey: strings.Repeat("k", MaxAccessKey)}},
		{name: "a longer key", cfg: Config{AccessKey: strings.Repeat("k", MaxAccessKey+1)}, want: "AccessKey has 4097 bytes"},
		{name: "a key of lines", cfg: Config{AccessKey: "a\nb"}, want: "control character"},
		{name: "most attributes", cfg: Config{CommonAttributes: attributes(MaxAttributes)}},
		{name: "more attributes", cfg: Config{CommonAttributes: attributes(MaxAttributes + 1)}, want: "has 51 entries"},
		{name: "long attribute", cfg: Config{CommonAttributes: []Attribute{{strings.Repeat("ü", 256), strings.Repeat("ü", 1024)}}}},
		{name: "longer name", cfg: Config{CommonAttributes: []Attribute{{strings.Repeat("n", 257), ""}}}, want: "1 to 256 characters"},
		{name: "longer value", cfg: Config{CommonAttributes: []Attribute{{"n", strings.Repeat("v", 1025)}}}, want: "has 1025 characters"},
		{name: "blank name", cfg: Config{CommonAttributes: []Attribute{{" ", "v"}}}, want: "not be blank"},
		{name: "name twice", cfg: Config{CommonAttributes: []Attribute{{"n", "1"}, {"n", "2"}}}, want: "twice"},
		{name: "longest retries", cfg: Config{RetryFor: 7200 * time.Second}},
		{name: "longer retries", cfg: Config{RetryFor: 7201 * time.Second}, want: "RetryFor is 2h0m1s"},
		{name: "negative retries", cfg: Config{RetryFor: -1}, want: "RetryFor"},
		{name: "negative timeout", cfg: Config{Timeout: -1}, want: "Timeout"},
	} {
		if tt.cfg.URL == "" {
			tt.cfg.URL = "https://example.com/"
		}
		switch tt.cfg.SourceARN {
		case "":
			tt.cfg.SourceARN = arn
		case "-":
			tt.cfg.SourceARN = ""
		}
		_, err := New(tt.cfg)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: New = %v, want %q", tt.name, err, tt.want)
		}
	}
	_, err := New(Config{URL: "http://x", RetryFor: -1, Timeout: -1})
	for _, field := range []string{"URL", "SourceARN", "RetryFor", "Timeout"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("New with four bad fields = %v, it does not name %s", err, field)
		}
	}
}

func TestAttributes(t *testing.T) {
	list := []Attribute{{"z", ""}, {"deployment -context", "pre-prod-gamma"}, {"ü", "\"<&>\" \n 日本 😀 \x7f"}}
	const want = `{"commonAttributes":{"z":"","deployment -context":"pre-prod-gamma",` +
		`"\u00fc":"\"<&>\" \n \u65e5\u672c \ud83d\ude00 \u007f"}}`
	got := encodeAttributes(list)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("header: %s", diff)
	}
	var back struct{ CommonAttributes map[string]string }
	if err := json.Unmarshal([]byte(got), &back); err != nil {
		t.Fatal(err)
	}
	for _, a := range list {
		if back.CommonAttributes[a.Name] != a.Value {
			t.Errorf("%q came back as %q, want %q", a.Name, back.CommonAttributes[a.Name], a.Value)
		}
	}
	if got := encodeAttributes(nil); got != "" {
		t.Errorf("no attributes are %q", got)
	}
}
