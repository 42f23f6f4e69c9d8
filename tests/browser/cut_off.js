// What a reader must see whole and does not: parts wider or taller than what surrounds them, texts
// cut short, labels of a chart that touch, charts taller than the place kept for them.
root => {
    const cut = [];
    const told = part => {
        const name = part.getAttribute('aria-label') || part.textContent.trim().slice(0, 40);
        return `${part.tagName} ${part.className.baseVal ?? part.className} "${name}"`;
    };
    const seen = selector => [...root.querySelectorAll(selector)].filter(part => {
        const box = part.getBoundingClientRect();
        return box.width && box.height && part.checkVisibility();
    });
    for (const part of seen(
        'svg, canvas, img, button, input, select, textarea, table, label, .widget-label, ' +
        '.widget-label-basic, .widget-readout, .lm-TabBar-tab, .mansu-pane'
    )) {
        const inner = part.getBoundingClientRect();
        for (let outer = part.parentElement; outer; outer = outer.parentElement) {
            if (outer.matches('.jp-WindowedPanel-outer, .jp-Notebook, #rendered_cells, body')) {
                const page = outer.getBoundingClientRect();
                if (inner.right > page.right + 1) cut.push(`${told(part)}: beyond the page`);
                break;
            }
            if (outer.matches('.panel')) break;  // scrolls, by design
            const style = getComputedStyle(outer), edge = outer.getBoundingClientRect();
            const [wide, tall] = [inner.right - edge.right, inner.bottom - edge.bottom].map(Math.round);
            if (style.overflowX !== 'visible' && inner.right > edge.right + 1) {
                cut.push(`${told(part)}: ${wide} px too wide`);
                break;
            }
            if (style.overflowY !== 'visible' && inner.bottom > edge.bottom + 1) {
                cut.push(`${told(part)}: ${tall} px too tall`);
                break;
            }
        }
    }
    for (const part of seen('button, label, .widget-label, .widget-label-basic, .widget-readout, ' +
        '.lm-TabBar-tabLabel')) {
        if (part.scrollWidth > part.clientWidth + 1) cut.push(`${told(part)}: cut short`);
    }
    const pen = document.createElement('canvas').getContext('2d');
    for (const part of seen('input[placeholder]')) {
        const style = getComputedStyle(part);
        pen.font = style.font;
        const room = part.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
        if (pen.measureText(part.placeholder).width > room + 1) cut.push(`${told(part)}: its hint`);
    }
    for (const pane of seen('.mansu-pane')) {
        const rest = pane.getBoundingClientRect().height - parseFloat(pane.style.minHeight);
        if (rest > 1) cut.push(`${told(pane)}: ${Math.round(rest)} px taller than its place`);
    }
    for (const chart of seen('svg.marks')) {
        const whole = chart.getBoundingClientRect();
        for (const words of chart.querySelectorAll('text')) {
            const box = words.getBoundingClientRect();
            const over = Math.max(box.right - whole.right, whole.left - box.left);
            if (box.width && over > 1) cut.push(`${told(chart)}: "${words.textContent}" leaves it`);
        }
        for (const group of chart.querySelectorAll('.role-axis-label, .role-legend-label')) {
            const words = [...group.querySelectorAll('text')].filter(
                text => text.textContent && getComputedStyle(text).opacity !== '0'
            );
            const boxes = words.map(text => text.getBoundingClientRect());
            boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b, j) => {
                const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
                const along = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
                if (across > -2 && along > 4) {
                    const pair = `"${words[i].textContent}", "${words[i + 1 + j].textContent}"`;
                    cut.push(`${told(chart)}: ${pair} touch`);
                }
            }));
        }
    }
    return cut;
}
