package serve_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hydrant-go/hydrant/internal/memnet"
	"github.com/hydrant-go/hydrant/internal/serve"
)

// site is a server on a network in memory, inside a bubble.
type site struct {
	*testing.T
	net    *memnet.Listener
	client *http.Client
}

// start serves h. The test ends when no connection is open any more, but those of a
// client that has been told to close them.
func start(t *testing.T, h http.HandlerFunc, most int, secure bool) *site {
	s := &site{T: t, net: memnet.Listen()}
	srv := serve.New(serve.Config{Handler: h, MaxConns: most, Logger: slog.New(slog.DiscardHandler)})
	transport := &http.Transport{DialContext: s.net.DialContext}
	if secure {
		certificate := httptest.NewUnstartedServer(nil)
		certificate.StartTLS()
		srv.TLSConfig = &tls.Config{Certificates: certificate.TLS.Certificates}
		certificate.Close()
		transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
		transport.ForceAttemptHTTP2 = true
	}
	s.client = &http.Client{Transport: transport}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		if secure {
			_ = srv.ServeTLS(s.net, "", "")
		} else {
			_ = srv.Serve(s.net)
		}
	}()
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		synctest.Wait()
		if n := s.net.Open(); n != 0 {
			t.Errorf("%d connections are open in the end", n)
		}
		_ = srv.Close()
		<-stopped
	})
	return s
}

func (s *site) dial() net.Conn {
	s.Helper()
	conn, err := s.net.DialContext(s.Context(), "", "")
	if err != nil {
		s.Fatal(err)
	}
	synctest.Wait()
	return conn
}

// good is a call that must be answered.
func (s *site) good() {
	s.Helper()
	url := "http://memory/good"
	if s.client.Transport.(*http.Transport).TLSClientConfig != nil {
		url = "https://memory/good"
	}
	resp, err := s.client.Post(url, "", strings.NewReader("good"))
	if err != nil {
		s.Error(err)
		return
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || string(text) != "good" || resp.StatusCode != http.StatusOK {
		s.Errorf("a good call: %s, %q, %v", resp.Status, text, err)
	}
}

const (
	kib = 1 << 10
	mib = 1 << 20
)

// about tells whether a time is what it ought to be, or somewhat more.
func about(d, want time.Duration) bool { return d >= want && d <= want+2*time.Second }

// TestBadClients: every one of them loses its connection in time, and only then; and
// who is slow and steady gets through.
func TestBadClients(t *testing.T) {
	post := func(length string) string {
		return "POST /echo HTTP/1.1\r\nHost: h\r\n" + length + "\r\n\r\n"
	}
	for _, tt := range []struct {
		name   string
		client func(conn net.Conn)
		deaf   bool          // nobody reads but the client itself
		closed time.Duration // after so long
		answer string        // begins with it
	}{
		{"nothing is sent", func(net.Conn) {}, false, 10 * time.Second, ""},
		{"half a header", func(c net.Conn) { send(c, "POST / HT") }, false, 10 * time.Second, "HTTP/1.1 400 "},
		{"a header, byte by byte", func(c net.Conn) { drip(c, "GET / HTTP/1.1\r\n"+strings.Repeat("X: y\r\n", 1000), 1, time.Second) }, false, 10 * time.Second, "HTTP/1.1 400 "},
		{"a second header, byte by byte", func(c net.Conn) {
			send(c, post("Content-Length: 0"))
			time.Sleep(time.Minute)
			// The first three bytes are not taken for a call yet.
			drip(c, strings.Repeat("X", 1000), 1, time.Second)
		}, false, 73 * time.Second, "HTTP/1.1 200 OK"},
		{"no second call", func(c net.Conn) { send(c, post("Content-Length: 0")) }, false, 5 * time.Minute, "HTTP/1.1 200 OK"},
		{"1 MB of header", func(c net.Conn) { send(c, "GET / HTTP/1.1\r\nX: "+strings.Repeat("x", mib)+"\r\n\r\n") }, false, 0, "HTTP/1.1 431 "},
		{"no HTTP", func(c net.Conn) { send(c, "\x00\xff\x80 garbage\r\n\r\n") }, false, 0, "HTTP/1.1 400 "},
		{"a body that does not begin", func(c net.Conn) { send(c, post("Content-Length: 10")) }, false, 30 * time.Second, "HTTP/1.1 408 "},
		{"a body of 1 TB that does not begin", func(c net.Conn) { send(c, post("Content-Length: 1000000000000")) }, false, 30 * time.Second, "HTTP/1.1 408 "},
		{"a body after 100 Continue that does not begin", func(c net.Conn) { send(c, post("Content-Length: 10\r\nExpect: 100-continue")) }, false, 30 * time.Second, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 408 "},
		{"a body, byte by byte", func(c net.Conn) {
			send(c, post("Content-Length: 1000"))
			drip(c, strings.Repeat("x", 1000), 1, time.Second)
		}, false, 30 * time.Second, "HTTP/1.1 408 "},
		{"chunks, byte by byte", func(c net.Conn) {
			send(c, post("Transfer-Encoding: chunked"))
			drip(c, strings.Repeat("1\r\nx\r\n", 1000), 6, time.Second)
		}, false, 30 * time.Second, "HTTP/1.1 408 "},
		{"a chunk's length without end", func(c net.Conn) {
			send(c, post("Transfer-Encoding: chunked"))
			send(c, strings.Repeat("0", mib))
		}, false, 0, "HTTP/1.1 408 "},
		{"a body that stops in the middle", func(c net.Conn) {
			send(c, post("Content-Length: 1000000"))
			send(c, strings.Repeat("x", 999_999))
		}, false, 30 * time.Second, "HTTP/1.1 408 "},
		{"a body that is not read, and does not come", func(c net.Conn) {
			send(c, strings.Replace(post("Content-Length: 10"), "/echo", "/blind", 1))
		}, false, 30 * time.Second, "HTTP/1.1 200 OK"},
		{"a body that is not read, byte by byte", func(c net.Conn) {
			send(c, strings.Replace(post("Content-Length: 1000"), "/echo", "/blind", 1))
			drip(c, strings.Repeat("x", 1000), 1, time.Second)
		}, false, 30 * time.Second, "HTTP/1.1 200 OK"},
		{"a large answer that is never read", func(c net.Conn) { send(c, "GET /large HTTP/1.1\r\nHost: h\r\n\r\n") }, true, 30 * time.Second, ""},
		{"a small answer that is never read", func(c net.Conn) { send(c, "GET /blind HTTP/1.1\r\nHost: h\r\n\r\n") }, true, 30 * time.Second, ""},
		{"100 Continue that is never read", func(c net.Conn) { send(c, post("Content-Length: 10\r\nExpect: 100-continue")) }, true, 60 * time.Second, ""},
		{"a large answer that is read byte by byte", func(c net.Conn) {
			send(c, "GET /large HTTP/1.1\r\nHost: h\r\n\r\n")
			for b := make([]byte, 1); ; time.Sleep(time.Second) {
				if _, err := c.Read(b); err != nil {
					return
				}
			}
		}, true, 30 * time.Second, ""},
		{"a body of 1 MiB, 64 KiB in 29 seconds", func(c net.Conn) {
			send(c, post("Connection: close\r\nContent-Length: 1048576"))
			drip(c, strings.Repeat("x", mib), 64*kib, 29*time.Second)
		}, false, 15 * 29 * time.Second, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n1048576 bytes"},
		{"a large answer, 64 KiB in 14 seconds", func(c net.Conn) {
			send(c, "GET /large HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
			r := bufio.NewReaderSize(c, 64*kib)
			n, err := int64(0), error(nil)
			for ; err == nil; time.Sleep(14 * time.Second) {
				var part int64
				part, err = io.CopyN(io.Discard, r, 64*kib)
				n += part
			}
			if n < 10*mib {
				panic(fmt.Sprintf("%d bytes came", n))
			}
		}, true, 160 * 14 * time.Second, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := start(t, handler, 0, false)
				began := time.Now()
				conn := s.dial()
				defer conn.Close()
				var answer bytes.Buffer
				var done sync.WaitGroup
				done.Go(func() { tt.client(conn) })
				if !tt.deaf {
					done.Go(func() { _, _ = io.Copy(&answer, conn) })
				}
				for s.net.Open() > 0 && time.Since(began) < time.Hour {
					time.Sleep(time.Second / 10)
				}
				if d := time.Since(began); !about(d, tt.closed) {
					t.Errorf("closed after %v, want %v", d, tt.closed)
				}
				conn.Close()
				done.Wait()
				if got := withoutDate(answer.String()); !strings.HasPrefix(got, tt.answer) || tt.answer == "" && got != "" {
					t.Errorf("answered %.300q, want %q…", got, tt.answer)
				}
				s.good()
			})
		})
	}
}

// handler echoes the length of a body, or does what the path says.
func handler(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/blind":
	case "/large":
		_, _ = w.Write(make([]byte, 10*mib))
	case "/good":
		_, _ = io.Copy(w, r.Body)
	default:
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusRequestTimeout)
			return
		}
		w.Header()["Content-Type"] = nil
		fmt.Fprintf(w, "%d bytes", n)
	}
}

func send(c io.Writer, text string) { _, _ = io.WriteString(c, text) }

// drip sends text in parts of n bytes, until it has gone or the server has.
func drip(c io.Writer, text string, n int, every time.Duration) {
	for len(text) > 0 {
		if _, err := io.WriteString(c, text[:n]); err != nil {
			return
		}
		if text = text[n:]; len(text) > 0 {
			time.Sleep(every)
		}
	}
}

// withoutDate leaves the headers out that are in every answer.
func withoutDate(answer string) string {
	var lines []string
	for line := range strings.SplitAfterSeq(answer, "\r\n") {
		if !strings.HasPrefix(line, "Date: ") && !strings.HasPrefix(line, "Content-Length: ") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// TestLongCalls: a call may take long once its body is there, or if it has none.
func TestLongCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, func(w http.ResponseWriter, r *http.Request) {
			n, _ := io.Copy(io.Discard, r.Body)
			select {
			case <-time.After(time.Hour):
			case <-r.Context().Done():
				t.Errorf("a call of %d bytes is given up: %v", n, r.Context().Err())
			}
			_, _ = io.WriteString(w, strconv.FormatInt(n, 10))
		}, 0, false)
		for _, body := range []string{"", "small", strings.Repeat("x", 10*mib)} {
			resp, err := s.client.Post("http://memory/", "", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if string(text) != strconv.Itoa(len(body)) || err != nil {
				t.Errorf("%q, %v, want %d", text, err, len(body))
			}
		}
	})
}

// TestPeerGone: a call whose client goes away is given up.
func TestPeerGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := make(chan struct{})
		s := start(t, func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
			close(gone)
		}, 0, false)
		conn := s.dial()
		send(conn, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx")
		conn.Close()
		<-gone
	})
}

// TestTooManyConnections: one more closes that which has been idle for longest, and
// none that has a call under way.
func TestTooManyConnections(t *testing.T) {
	for _, secure := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			release := make(chan struct{})
			s := start(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/wait" {
					<-release
				}
				handler(w, r)
			}, 3, secure)
			open := func() (net.Conn, chan struct{}) {
				conn, closed := s.dial(), make(chan struct{})
				if secure {
					conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
				}
				go func() {
					defer close(closed)
					_, _ = io.Copy(io.Discard, conn)
				}()
				time.Sleep(time.Second)
				return conn, closed
			}
			is := func(closed chan struct{}) bool {
				synctest.Wait()
				select {
				case <-closed:
					return true
				default:
					return false
				}
			}
			call := func(conn net.Conn, path string) {
				send(conn, "GET "+path+" HTTP/1.1\r\nHost: h\r\n\r\n")
				time.Sleep(time.Second)
			}
			a, aClosed := open()
			_, bClosed := open()
			c, cClosed := open()
			call(a, "/") // so that b has been idle for longest
			d, dClosed := open()
			if is(aClosed) || !is(bClosed) || is(cClosed) || is(dClosed) {
				t.Errorf("closed are %v, %v, %v, %v, want the second only", is(aClosed), is(bClosed), is(cClosed), is(dClosed))
			}
			for _, conn := range []net.Conn{a, c, d} {
				call(conn, "/wait")
			}
			if _, eClosed := open(); is(aClosed) || is(cClosed) || is(dClosed) || !is(eClosed) {
				t.Errorf("closed are %v, %v, %v, %v, want the last only", is(aClosed), is(cClosed), is(dClosed), is(eClosed))
			}
			close(release)
			synctest.Wait()
			s.good()
			for _, conn := range []net.Conn{a, c, d} {
				conn.Close()
			}
		})
	}
}

// TestBadHandshakes: who does not speak TLS where it is spoken is told so, or loses the
// connection in time.
func TestBadHandshakes(t *testing.T) {
	for _, tt := range []struct {
		name, send string
		closed     time.Duration
		answer     string
	}{
		{"nothing", "", 10 * time.Second, ""},
		{"plain HTTP", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 0, "HTTP/1.0 400 Bad Request"},
		{"half of a handshake", "\x16\x03\x01\x02\x00\x01\x00", 10 * time.Second, ""},
		{"garbage", strings.Repeat("\xff", 1000), 0, ""},
		{"a record of its largest size, and zeros", "\x16\x03\x01\x40\x00" + strings.Repeat("\x00", 16*kib), 0, "\x15\x03"},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := start(t, handler, 0, true)
			began := time.Now()
			conn := s.dial()
			defer conn.Close()
			var done sync.WaitGroup
			done.Go(func() { send(conn, tt.send) })
			answer, _ := io.ReadAll(conn)
			done.Wait()
			if d := time.Since(began); !about(d, tt.closed) || !strings.HasPrefix(string(answer), tt.answer) {
				t.Errorf("%s: %.100q after %v, want %q… after %v", tt.name, answer, d, tt.answer, tt.closed)
			}
			s.good()
		})
	}
}

// TestHTTP2: the deadlines are those of a call there, and not of the connection.
func TestHTTP2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failed := make(chan error, 1)
		s := start(t, func(w http.ResponseWriter, r *http.Request) {
			if r.ProtoMajor != 2 {
				t.Error("spoken is", r.Proto)
			}
			switch r.URL.Path {
			case "/slow":
				_, err := io.Copy(io.Discard, r.Body)
				failed <- err
			case "/deaf":
				_, err := w.Write(make([]byte, 10*mib))
				failed <- err
			default:
				handler(w, r)
			}
		}, 0, true)
		s.good()

		slow, feed := io.Pipe()
		go func() { drip(feed, strings.Repeat("x", 1000), 1, time.Second) }()
		began := time.Now()
		go func() {
			if resp, err := s.client.Post("https://memory/slow", "", slow); err == nil {
				resp.Body.Close()
			}
		}()
		if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) || !about(time.Since(began), 30*time.Second) {
			t.Errorf("a body, byte by byte: %v after %v", err, time.Since(began))
		}
		s.good()
		feed.Close()

		began = time.Now()
		resp, err := s.client.Get("https://memory/deaf")
		if err != nil {
			t.Fatal(err)
		}
		if err := <-failed; err == nil || !about(time.Since(began), 30*time.Second) {
			t.Errorf("an answer that is not read: %v after %v", err, time.Since(began))
		}
		s.good()
		resp.Body.Close()
	})
}

// TestTooManyCalls: a connection with many calls at once has no more of them than
// many connections may have.
func TestTooManyCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s := start(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/wait" {
				<-release
			}
			handler(w, r)
		}, 3, true)
		s.good()
		status := make(chan int, 4)
		for range 4 {
			go func() {
				resp, err := s.client.Get("https://memory/wait")
				if err != nil {
					t.Error(err)
					return
				}
				resp.Body.Close()
				status <- resp.StatusCode
			}()
		}
		if got := <-status; got != http.StatusServiceUnavailable {
			t.Errorf("the fourth call: %d", got)
		}
		close(release)
		for range 3 {
			if got := <-status; got != http.StatusOK {
				t.Errorf("the others: %d", got)
			}
		}
		s.good()
	})
}
