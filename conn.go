package hydrant

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// dialer is http.Transport.DialContext.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// wholeDial makes connections that write a body at once.
func wholeDial(dial dialer) dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &wholeConn{Conn: c}, nil
	}
}

// secureDial makes such connections over TLS.
func secureDial(dial dialer, cfg *tls.Config, timeout time.Duration) dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		cfg := cfg.Clone()
		if cfg.ServerName == "" {
			cfg.ServerName, _, _ = net.SplitHostPort(address) // it has been dialled
		}
		below := &joinedConn{Conn: c}
		secure := tls.Client(below, cfg)
		if timeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no TLS handshake within %v", timeout))
			defer cancel()
		}
		if err := secure.HandshakeContext(ctx); err != nil {
			c.Close()
			if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
				err = fmt.Errorf("%w: %w", cause, err)
			}
			return nil, &unsentError{err}
		}
		return &wholeConn{Conn: secure, below: below}, nil
	}
}

// wholeConn writes the body of a request by one Write. net/http would copy it in
// pieces of 32 KiB.
type wholeConn struct {
	net.Conn
	below *joinedConn // of a connection over TLS
}

func (c *wholeConn) ReadFrom(r io.Reader) (int64, error) {
	var b *bodyReader
	limited, ok := r.(*io.LimitedReader)
	if ok {
		b, ok = limited.R.(*bodyReader)
	}
	if !ok || int64(b.Len()) > limited.N {
		return io.Copy(struct{ io.Writer }{c.Conn}, r)
	}
	if c.below != nil {
		c.below.begin()
	}
	n, err := b.WriteTo(c.Conn)
	limited.N -= n
	if c.below != nil {
		err = errors.Join(err, c.below.end())
	}
	return n, err
}

// joinedConn joins writes between begin and end: TLS makes one of every 16 KiB.
type joinedConn struct {
	net.Conn
	mu  sync.Mutex // guards buf, and is held over writes, which stay in order
	buf *[]byte    // nil outside of begin and end
}

// joinSize is how much is written at once. From 64 KiB to 1 MiB it made no difference.
const joinSize = 256 << 10

var joins = sync.Pool{New: func() any {
	buf := make([]byte, 0, joinSize+32<<10)
	return &buf
}}

func (c *joinedConn) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.buf = joins.Get().(*[]byte)
}

// end writes what is left.
func (c *joinedConn) end() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.flush()
	joins.Put(c.buf)
	c.buf = nil
	return err
}

func (c *joinedConn) flush() error {
	_, err := c.Conn.Write(*c.buf)
	*c.buf = (*c.buf)[:0]
	return err
}

func (c *joinedConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.buf == nil {
		return c.Conn.Write(b)
	}
	*c.buf = append(*c.buf, b...)
	if len(*c.buf) < joinSize {
		return len(b), nil
	}
	return len(b), c.flush()
}
