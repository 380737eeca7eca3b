// Package memnet is a network inside the process: a listener and a dial function
// joined by pipes. Real clients and servers run over it unchanged, and because
// nothing of it waits on the operating system, inside a synctest bubble too.
package memnet

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
)

// Listener accepts what its own DialContext dials. Its methods may be called
// from many goroutines.
type Listener struct {
	conns chan net.Conn
	done  chan struct{}
	close sync.Once
	open  atomic.Int64
}

// Listen returns an open Listener. Nothing has to be closed but the Listener.
func Listen() *Listener {
	return &Listener{conns: make(chan net.Conn), done: make(chan struct{})}
}

// Accept waits for the next dial. It returns net.ErrClosed after Close.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		l.open.Add(1)
		return &accepted{Conn: c, open: &l.open}, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Open is how many connections were accepted and have not been closed by who accepted
// them.
func (l *Listener) Open() int { return int(l.open.Load()) }

// accepted is the end of a connection that Accept has given out.
type accepted struct {
	net.Conn
	open *atomic.Int64
	once sync.Once
}

func (c *accepted) Close() error {
	c.once.Do(func() { c.open.Add(-1) })
	return c.Conn.Close()
}

// DialContext connects to the Listener, whatever the network and address.
func (l *Listener) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	refused := func(err error) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: addr{}.Network(), Addr: addr{}, Err: err}
	}
	select {
	case <-l.done:
		return refused(net.ErrClosed)
	default:
	}
	select {
	case l.conns <- server:
		return client, nil
	case <-l.done:
		return refused(net.ErrClosed)
	case <-ctx.Done():
		return refused(ctx.Err())
	}
}

// Close makes Accept and DialContext fail. Open connections stay open.
func (l *Listener) Close() error {
	l.close.Do(func() { close(l.done) })
	return nil
}

// Addr is a name only; there is nothing to reach at it.
func (l *Listener) Addr() net.Addr { return addr{} }

type addr struct{}

func (addr) Network() string { return "memory" }
func (addr) String() string  { return "memory" }
