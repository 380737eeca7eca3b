// Package page is the live page of `hydrant local`, for people who run a local
// Firehose. It is plain HTML, CSS and JavaScript that the browser gets from here and
// nowhere else. It asks GET /_hydrant/state once a second and draws what it is told;
// its controls are the admin calls beside that.
package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

// Path is where the page's own files are.
const Path = "/_hydrant/page/"

//go:embed assets
var assets embed.FS

// types are by the end of a name: the system's table may be another, and browsers
// run no module of a wrong type.
var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
	"":      "text/plain; charset=utf-8",
}

// policy lets the page load and call what is at its own address only, and run no
// script but its own files. Nobody may show it in a frame: it has a button that
// deletes all streams.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

type asset struct {
	body            []byte
	mediaType, etag string
}

// Handler serves the page at / and its files below Path. It holds no state. Whoever
// mounts it keeps away calls that come by way of other sites.
func Handler() http.Handler {
	files := load()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, ok := files[r.URL.Path]
		switch {
		case !ok:
			http.NotFound(w, r)
			return
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "the page can only be read", http.StatusMethodNotAllowed)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Type", a.mediaType)
		// Asked again each time: another hydrant at this address has other files.
		h.Set("Cache-Control", "no-cache")
		h.Set("ETag", a.etag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.body))
	})
}

// load has the files by the paths of their URLs.
func load() map[string]asset {
	files := map[string]asset{}
	err := fs.WalkDir(assets, "assets", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := assets.ReadFile(name)
		sum := sha256.Sum256(body)
		url := Path + strings.TrimPrefix(name, "assets/")
		if name == "assets/index.html" {
			url = "/"
		}
		files[url] = asset{body, types[path.Ext(name)], `"` + hex.EncodeToString(sum[:16]) + `"`}
		return err
	})
	if err != nil {
		panic("page: the embedded files can't be read: " + err.Error())
	}
	return files
}
