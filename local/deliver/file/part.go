package file

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Part is content that is kept in the folder without a name, to be joined with
// others into an object. A part that nobody removes stays in dir/.unfinished.
type Part struct {
	fs.FileInfo
	dir  *Dir
	temp string
}

// Stage keeps the content that fill writes.
func (d *Dir) Stage(fill func(io.Writer) error) (*Part, error) {
	root, err := d.make()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	temp, info, err := write(root, fill)
	if err != nil {
		return nil, fmt.Errorf("write a part of an object: %w", err)
	}
	return &Part{info, d, temp}, nil
}

// WriteTo writes the content.
func (p *Part) WriteTo(w io.Writer) (int64, error) {
	root, err := p.dir.open()
	if err != nil {
		return 0, err
	}
	defer root.Close()
	f, err := root.Open(p.temp)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return io.Copy(w, f)
}

// Remove removes the content. If it is gone, that is no error.
func (p *Part) Remove() error {
	root, err := p.dir.open()
	if err == nil {
		err = errors.Join(root.Remove(p.temp), root.Close())
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
