package page_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"testing"
	"time"
)

// browser is a session of chromedriver, by W3C WebDriver.
type browser struct {
	t       *testing.T
	session string // URL
}

var (
	portLine = regexp.MustCompile(`started successfully on port (\d+)`)
	flags    = []string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--window-size=1200,900",
	}
)

// startBrowser skips the test by name where there is none. It ends with the test.
func startBrowser(t *testing.T) *browser {
	t.Helper()
	for _, name := range []string{"chromedriver", "chromium"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not here", name)
		}
	}
	cmd := exec.Command("chromedriver", "--port=0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if m := portLine.FindStringSubmatch(lines.Text()); m != nil {
			b := &browser{t, "http://127.0.0.1:" + m[1] + "/session"}
			b.open(append(flags, "--user-data-dir="+t.TempDir()))
			return b
		}
	}
	t.Fatal("chromedriver did not tell its port")
	return nil
}

type object = map[string]any

func (b *browser) open(args []string) {
	var session struct {
		ID string `json:"sessionId"`
	}
	b.call("POST", "", object{"capabilities": object{"alwaysMatch": object{
		"browserName": "chrome", "goog:chromeOptions": object{"args": args},
		"goog:loggingPrefs": object{"browser": "ALL", "performance": "ALL"},
		"timeouts":          object{"script": 10000},
	}}}, &session)
	b.session += "/" + session.ID
	// Before chromedriver is killed, or the browser would stay.
	b.t.Cleanup(func() { b.call("DELETE", "", nil, nil) })
}

var client = http.Client{Timeout: 30 * time.Second}

func (b *browser) call(method, path string, in, out any) {
	b.t.Helper()
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			b.t.Fatal(err)
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequest(method, b.session+path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	resp, err := client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		b.t.Fatalf("%s %s %v: %d %.1000s %v", method, path, in, resp.StatusCode, text, err)
	}
	if out != nil {
		if err := json.Unmarshal(text, &struct{ Value any }{out}); err != nil {
			b.t.Fatalf("%s %s: %v in %.1000s", method, path, err, text)
		}
	}
}

// eval gives the value of a JavaScript expression.
func eval[T any](b *browser, expression string) (v T) {
	b.t.Helper()
	b.call("POST", "/execute/sync", object{"script": "return " + expression, "args": []any{}}, &v)
	return v
}

// until waits, at most ten seconds, until an expression is true, and tells what the
// page looks like if it never is.
func (b *browser) until(what, expression string) {
	b.t.Helper()
	var ok bool
	b.call("POST", "/execute/async", object{"args": []any{}, "script": fmt.Sprintf(`
		const done = arguments[0], end = performance.now() + 9000;
		const look = () => {
			if (%s) done(true);
			else if (performance.now() > end) done(false);
			else setTimeout(look, 50);
		};
		look();`, expression)}, &ok)
	if !ok {
		b.t.Fatalf("waited in vain until %s; the page shows:\n%s", what, eval[string](b, "document.body.innerText"))
	}
}

// keys types into the element that a CSS selector finds.
func (b *browser) keys(selector, text string) {
	b.t.Helper()
	var element map[string]string
	b.call("POST", "/element", object{"using": "css selector", "value": selector}, &element)
	for _, id := range element {
		b.call("POST", "/element/"+id+"/value", object{"text": text}, nil)
	}
}

func (b *browser) click(selector string) {
	b.t.Helper()
	var element map[string]string
	b.call("POST", "/element", object{"using": "css selector", "value": selector}, &element)
	for _, id := range element {
		b.call("POST", "/element/"+id+"/click", object{}, nil)
	}
}

// logged is what a log of the browser has had since it was asked last.
func (b *browser) logged(kind string) (list []struct{ Level, Message string }) {
	b.t.Helper()
	b.call("POST", "/se/log", object{"type": kind}, &list)
	return list
}
