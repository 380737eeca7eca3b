// Package serve makes the http.Server of the local Firehose: one that goes on
// serving whatever its clients do. They may send nothing, or a header or a body byte
// by byte, never read an answer, go away without a word, or open connections without
// end. What they send in time is the handler's matter.
package serve

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// headerTimeout is for a handshake, and for a header from its first byte on.
	headerTimeout = 10 * time.Second
	// idleTimeout is how long a connection may wait for its next call.
	idleTimeout = 5 * time.Minute
	// stall is how long step bytes of a body or of an answer, or the rest of it, may
	// take. So a large object may take hours, on a line of 17 kbit/s.
	stall = 30 * time.Second
	step  = 64 << 10
	// maxHeader is in bytes. AWS takes 8 KB with S3 (user guide, metadata), and
	// nobody signs more than some kilobytes.
	maxHeader = 64 << 10
	// maxConns leaves most of the files that a process may have open to others.
	maxConns = 4096
)

// Config sets a server up.
type Config struct {
	Handler http.Handler // required
	// MaxConns is how many connections may be open, and how many calls under way
	// where a connection has several (HTTP/2). One connection more, and that is
	// closed which has been without a call for longest. Default 4,096.
	MaxConns int
	// Logger gets panics of the handler and failed handshakes. Default
	// slog.Default().
	Logger *slog.Logger
}

// New returns a server, to be given a listener. The handler's ResponseWriter is for
// [http.NewResponseController] what net/http's is.
func New(cfg Config) *http.Server {
	g := &guard{handler: cfg.Handler, most: cmp.Or(cfg.MaxConns, maxConns), peers: map[net.Conn]*peer{}}
	return &http.Server{
		Handler:           g,
		ConnContext:       g.opened,
		ConnState:         g.changed,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: 100, MaxReceiveBufferPerConnection: 256 << 10, WriteByteTimeout: stall},
		ErrorLog:          slog.NewLogLogger(cmp.Or(cfg.Logger, slog.Default()).Handler(), slog.LevelWarn),
	}
}

// guard is in front of the handler.
type guard struct {
	handler http.Handler
	most    int
	calls   atomic.Int64
	turn    atomic.Int64 // counts what peers come and do

	mu    sync.Mutex // guards peers
	peers map[net.Conn]*peer
}

// peer is who is at the other end of a connection.
type peer struct {
	conn  net.Conn
	calls atomic.Int64 // under way
	since atomic.Int64 // guard.turn when it had a call last, or came: a clock may not tell who was first
}

type peerKey struct{}

// opened takes a new connection in.
func (g *guard) opened(ctx context.Context, conn net.Conn) context.Context {
	p := &peer{conn: conn}
	p.since.Store(g.turn.Add(1))
	if one := g.add(p); one != nil {
		one.close()
	}
	return context.WithValue(ctx, peerKey{}, p)
}

// add adds p, and takes one out if there are too many then, which may be p itself.
func (g *guard) add(p *peer) (out *peer) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.peers[p.conn] = p
	if len(g.peers) <= g.most {
		return nil
	}
	for _, other := range g.peers {
		if other.calls.Load() == 0 && (out == nil || other.since.Load() < out.since.Load()) {
			out = other
		}
	}
	delete(g.peers, out.conn) // there is one: p has no call
	return out
}

// close closes the connection, which a TLS connection would want to talk about.
func (p *peer) close() {
	under := p.conn
	if t, ok := under.(interface{ NetConn() net.Conn }); ok {
		under = t.NetConn()
	}
	_ = under.Close()
}

func (g *guard) changed(conn net.Conn, state http.ConnState) {
	if state == http.StateClosed || state == http.StateHijacked {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.peers, conn)
	}
}

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p, ok := r.Context().Value(peerKey{}).(*peer); ok {
		p.calls.Add(1)
		defer func() {
			p.since.Store(g.turn.Add(1))
			p.calls.Add(-1)
		}()
	}
	defer g.calls.Add(-1)
	x := &exchange{ResponseWriter: w, deadlines: http.NewResponseController(w)}
	if r.Body != nil && r.ContentLength != 0 {
		x.reading = true
		// A copy: by its own, net/http sees what of the body is left to be read.
		r = r.WithContext(r.Context())
		r.Body = &body{ReadCloser: r.Body, x: x}
	}
	x.extend()
	if g.calls.Add(1) > int64(g.most) {
		http.Error(x, "too many calls at once", http.StatusServiceUnavailable)
	} else {
		g.handler.ServeHTTP(x, r)
	}
	x.extend() // for what is left to be sent, and for the rest of the body
}

// exchange is a request and its answer. Deadlines that the connection does not have
// are nobody's loss.
type exchange struct {
	http.ResponseWriter
	deadlines       *http.ResponseController
	reading         bool // there may be more of the body
	readBy, writeBy time.Time
}

// Unwrap is for [http.NewResponseController].
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// extend moves the deadlines when half of their time has passed: it is called often,
// and setting one costs more than looking at the clock.
func (x *exchange) extend() {
	now := time.Now()
	by := now.Add(stall)
	if x.reading && x.readBy.Sub(now) < stall/2 {
		x.readBy = by
		_ = x.deadlines.SetReadDeadline(by)
	}
	if x.writeBy.Sub(now) < stall/2 {
		if x.writeBy = by; x.reading { // net/http waits for the rest of a body before it writes
			x.writeBy = by.Add(stall)
		}
		_ = x.deadlines.SetWriteDeadline(x.writeBy)
	}
}

func (x *exchange) Write(b []byte) (n int, err error) {
	for {
		x.extend()
		part, err := x.ResponseWriter.Write(b[n:min(n+step, len(b))])
		n += part
		if err != nil || n == len(b) {
			return n, err
		}
	}
}

// body is a request's.
type body struct {
	io.ReadCloser
	x      *exchange
	passed int // bytes since the deadline was set
}

// Read moves the deadline with every step. When the body has ended net/http takes the
// deadline away; after a failure, such as a deadline that has passed, nobody waits for
// the rest again.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.passed += n
	if err != nil {
		b.x.reading = false
	} else if b.passed >= step {
		b.passed = 0
		b.x.readBy = time.Now().Add(stall)
		_ = b.x.deadlines.SetReadDeadline(b.x.readBy)
	}
	return n, err
}
