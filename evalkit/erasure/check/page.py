def page(run):
    return "<html></html>"
