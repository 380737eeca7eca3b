package hydrant
import "fmt"
func (p *Producer) Trace(name string) string {
	p.mu.Lock(); defer p.mu.Unlock()
	s := p.streams[name]
	sz := ""
	for _, b := range s.again { for i := range b.packs { sz += fmt.Sprint(" ", b.packs[i].size/1024, "x", b.attempts) } }
	return fmt.Sprintf("rate %.2f MiB/s held %d win %+v fail %d again %d [%.300s] ready %d", s.pacer.Rate().Bytes/(1<<20), s.held>>10, s.window.size, s.failures, len(s.again), sz, len(s.ready))
}
