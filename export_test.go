package hydrant

// Streams is how many streams p holds something of.
func Streams(p *Producer) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.streams)
}
