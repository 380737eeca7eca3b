package page

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func get(method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w
}

func TestHandler(t *testing.T) {
	for _, tt := range []struct {
		method, path string
		status       int
		mediaType    string
	}{
		{"GET", "/", 200, "text/html; charset=utf-8"},
		{"HEAD", "/", 200, "text/html; charset=utf-8"},
		{"GET", Path + "main.js", 200, "text/javascript; charset=utf-8"},
		{"GET", Path + "page.css", 200, "text/css; charset=utf-8"},
		{"GET", Path + "icon.svg", 200, "image/svg+xml"},
		{"GET", Path + "uplot/LICENSE", 200, "text/plain; charset=utf-8"},
		{"GET", "/index.html", 404, ""},
		{"GET", Path, 404, ""},
		{"GET", Path + "uplot", 404, ""},
		{"GET", Path + "../page.go", 404, ""},
		{"POST", "/", 405, ""},
	} {
		w := get(tt.method, tt.path)
		if w.Code != tt.status || tt.mediaType != "" && w.Header().Get("Content-Type") != tt.mediaType {
			t.Errorf("%s %s: %d %s, want %d %s", tt.method, tt.path, w.Code, w.Header().Get("Content-Type"), tt.status, tt.mediaType)
		}
	}
}

func TestHeaders(t *testing.T) {
	h := get("GET", "/").Header()
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache", "Content-Security-Policy": policy} {
		if h.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, h.Get(name), want)
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Errorf("the policy allows inline code: %s", policy)
	}
	w := get("GET", "/", "If-None-Match", h.Get("ETag"))
	if h.Get("ETag") == "" || w.Code != http.StatusNotModified || w.Body.Len() != 0 {
		t.Errorf("asked again with the ETag %s: %d and %d bytes, want 304 and none", h.Get("ETag"), w.Code, w.Body.Len())
	}
	if w := get("GET", "/", "If-None-Match", get("GET", Path+"page.css").Header().Get("ETag")); w.Code != http.StatusOK {
		t.Errorf("asked with another file's ETag: %d, want 200", w.Code)
	}
}

var (
	reference = regexp.MustCompile(`(?:src|href)="([^"]*)"|from '\./([^']*)'`)
	markup    = regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|<script>|style="| on[a-z]+="`)
)

// Everything that a file refers to is there, and nothing is elsewhere; no data can
// become markup.
func TestFiles(t *testing.T) {
	files := load()
	for path, a := range files {
		if strings.HasPrefix(path, Path+"uplot/") {
			continue
		}
		for _, m := range reference.FindAllStringSubmatch(string(a.body), -1) {
			target := m[1]
			if m[2] != "" {
				target = Path + m[2]
			}
			if _, ok := files[target]; !ok {
				t.Errorf("%s refers to %q, which is not there", path, target)
			}
		}
		if m := markup.Find(a.body); m != nil {
			t.Errorf("%s has %q", path, m)
		}
	}
}
